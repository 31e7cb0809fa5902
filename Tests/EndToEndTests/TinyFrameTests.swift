import Foundation
import Synchronization
import TestSupport
import Testing

/// Peers that send very much that is very little, and read what they get for it: their number of frames is their weight,
/// and others have the event loop in between.
///
/// Serialized: each floods the machine.
@Suite(.serialized, .timeLimit(.minutes(2))) struct TinyFrameTests {
    enum Flood: CaseIterable {
        case muxPings, carrierPings, oldMessages, pipelinedRequests, chunksOfAByte

        /// What comes first on each connection.
        func open(_ agent: BesiegedAgent, _ number: Int) throws -> StreamSocket {
            let token = "tiny-frames-token-\(number)"
            switch self {
            case .muxPings, .carrierPings:
                return try TunnelPeer(port: agent.port, token: token).socket
            case .oldMessages:
                return try WebSocketConnection(
                    port: agent.port, target: "/_tunnel", fields: [("Origin", token)]
                ).socket
            case .pipelinedRequests:
                return try HTTPConnection(port: agent.port).socket
            case .chunksOfAByte:
                let socket = try HTTPConnection(port: agent.port).socket
                try socket.write(
                    "POST / HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n")
                return socket
            }
        }

        /// What is sent again and again.
        var piece: [UInt8] {
            func many(_ count: Int, _ bytes: [UInt8]) -> [UInt8] {
                Array(repeatElement(bytes, count: count).joined())
            }
            let ping = Mux.frame(.ping, [UInt8](repeating: 1, count: 8))
            return switch self {
            case .muxPings: webSocketFrame(opcode: 2, many(4000, ping), isMasked: true)
            case .carrierPings: many(10_000, webSocketFrame(opcode: 9, [], isMasked: true))
            case .oldMessages: many(6000, webSocketFrame(opcode: 2, Array("7cff".utf8), isMasked: true))
            case .pipelinedRequests: many(2000, Array("GET /_health_check HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            case .chunksOfAByte: many(10_000, Array("1\r\nx\r\n".utf8))
            }
        }
    }

    @Test(arguments: Flood.allCases) func aFloodLeavesOthersTheEventLoop(_ flood: Flood) throws {
        let agent = try BesiegedAgent()
        let caller = try HTTPConnection(port: agent.port)
        func ask(_ count: Int) throws -> [Duration] {
            try (0..<count).map { _ in
                try ContinuousClock().measure {
                    let answer = try caller.exchange("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
                    #expect(answer.status == 200)
                }
            }
        }
        let before = try ask(50)
        let isOver = Atomic(false)
        let sent = WaitableCounter()
        let piece = flood.piece
        let sockets = try (0..<12).map { try flood.open(agent, $0) }
        let floods = sockets.flatMap { socket in
            [
                Background {
                    while !isOver.load(ordering: .relaxed) {
                        try socket.write(piece)
                        sent.add(1)
                    }
                },
                Background { while !(try socket.readSome()).isEmpty {} },
            ]
        }
        try sent.wait(for: 24, within: .seconds(60), what: "the flood")
        let during = try ask(50)
        isOver.store(true, ordering: .relaxed)
        // Who still reads or writes comes back: the agent closes what ends.
        for socket in sockets { socket.finishWriting() }
        for flood in floods { _ = try? flood.value() }
        let (usual, then) = (before.percentile(50), during.percentile(50))
        #expect(then < max(.milliseconds(500), usual * 20), "\(usual) before, \(then) then")
    }
}
