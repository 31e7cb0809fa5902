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
        case pings, requests

        func open(_ agent: BesiegedAgent, _ number: Int) throws -> StreamSocket {
            switch self {
            case .pings: try TunnelPeer(port: agent.port, token: "tiny-frames-token-\(number)").socket
            case .requests: try HTTPConnection(port: agent.port).socket
            }
        }

        /// What is sent again and again; each part of it is answered by as many bytes at least.
        var piece: [UInt8] {
            let (part, count) =
                switch self {
                case .pings: (Mux.frame(.ping, [UInt8](repeating: 1, count: 8)), 2000)
                case .requests: (Array("GET /_health_check HTTP/1.1\r\nHost: a\r\n\r\n".utf8), 800)
                }
            let parts = Array(repeatElement(part, count: count).joined())
            return self == .pings ? webSocketFrame(opcode: 2, parts, isMasked: true) : parts
        }
    }

    /// What the floods got for each answer that others did, in bytes. Six connections, of each of which the agent once took
    /// half a MiB in every turn of an event loop, got 12 MiB at least. By bytes and not by time, which says more of what
    /// else this machine has to do.
    private static let mostForAnAnswer = 3 << 20

    @Test(arguments: Flood.allCases) func aFloodLeavesOthersTheEventLoop(_ flood: Flood) throws {
        let agent = try BesiegedAgent()
        let caller = try HTTPConnection(port: agent.port)
        func ask() throws {
            let answer = try caller.exchange("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
            #expect(answer.status == 200)
        }
        try ask()
        let isOver = Atomic(false)
        let got = WaitableCounter()
        let piece = flood.piece
        let sockets = try (0..<6).map { try flood.open(agent, $0) }
        let floods = sockets.flatMap { socket in
            [
                Background { while !isOver.load(ordering: .relaxed) { try socket.write(piece) } },
                Background {
                    while true {
                        let count = try socket.readSome().count
                        guard count > 0 else { return }
                        got.add(count)
                    }
                },
            ]
        }
        try got.wait(for: 1 << 19, within: .seconds(60), what: "the flood")
        let before = got.value
        let count = 5
        for _ in 0..<count { try ask() }
        let perAnswer = (got.value - before) / count
        isOver.store(true, ordering: .relaxed)
        agent.agent.process.kill()
        for flood in floods { _ = try? flood.value() }
        #expect(perAnswer < Self.mostForAnAnswer)
    }
}
