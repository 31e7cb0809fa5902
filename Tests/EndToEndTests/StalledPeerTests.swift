import Foundation
import TestSupport
import Testing

/// Who does not read holds up nobody else. One session carries all: `connections: 1`.
@Suite(.serialized)  // They measure time, and the machine is shared enough already.
struct StalledPeerTests {
    private static let token = [("X-Token", TunnelPair.token)]

    /// `/stall` answers without end, or reads nothing of a body; anything else is answered at once.
    private static func origin(_ gate: Gate, uploadBegan began: Gate = Gate()) throws -> ScriptedOrigin {
        try ScriptedOrigin(limit: .seconds(60)) { connection in
            while let request = try connection.readRequest() {
                switch (request.method, request.target) {
                case ("GET", "/stall"):
                    try connection.writeHead(200, fields: [("Content-Length", "\(1 << 40)")])
                    while true { try connection.socket.write([UInt8](repeating: 0x61, count: 1 << 16)) }
                case (_, "/stall"):
                    began.open()
                    return try gate.wait(within: .seconds(60))
                default:
                    try connection.respond(text: "small")
                }
            }
        }
    }

    /// The 99th percentile of what small requests take.
    private func slowest(through tunnel: TunnelPair) throws -> Duration {
        let times = try inThreads(4) { _ in
            let caller = try tunnel.connect()
            return try (0..<100).map { _ in
                try ContinuousClock().measure {
                    let answer = try caller.exchange("GET", "/small", fields: Self.token)
                    guard answer.text == "small" else { throw TestFailure("\(answer.head)") }
                }
            }
        }
        return times.flatMap { $0 }.percentile(99)
    }

    /// Under a second; on a machine that is too busy for that, no more than ten times what it took before. Who is held
    /// up for real waits until the stalled one goes on, which here it never does.
    private func expectQuickAnswers(through tunnel: TunnelPair, before: Duration) throws {
        let now = try slowest(through: tunnel)
        #expect(now < max(.seconds(1), before * 10), "p99 \(now), before \(before)")
    }

    @Test(.timeLimit(.minutes(1))) func aCallerThatDoesNotReadHoldsUpNobody() throws {
        let gate = Gate()
        defer { gate.open() }
        let origin = try Self.origin(gate)
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let before = try slowest(through: tunnel)
        let stalled = try tunnel.connect(receiveBuffer: 16_384)
        try stalled.send("GET", "/stall", fields: Self.token)
        #expect(try stalled.readHead().status == 200)
        try expectQuickAnswers(through: tunnel, before: before)
        let peaks = [
            try tunnel.server.process.peakResidentBytes(), try tunnel.client.process.peakResidentBytes(),
        ]
        #expect(peaks.allSatisfy { $0 < 120 << 20 }, "\(peaks)")
        // It can still go on.
        #expect(try stalled.socket.read(1 << 20).allSatisfy { $0 == 0x61 })
    }

    @Test(.timeLimit(.minutes(1))) func anOriginThatDoesNotReadHoldsUpNobody() throws {
        let gate = Gate()
        defer { gate.open() }
        let uploadBegan = Gate()
        let origin = try Self.origin(gate, uploadBegan: uploadBegan)
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let before = try slowest(through: tunnel)
        let uploader = try tunnel.connect(limit: .seconds(60))
        let upload = Background {
            try uploader.send("POST", "/stall", fields: Self.token + [("Content-Length", "\(1 << 30)")])
            // Ends when the connection does.
            while true { try uploader.send([UInt8](repeating: 0x62, count: 1 << 16)) }
        }
        try uploadBegan.wait()
        try expectQuickAnswers(through: tunnel, before: before)
        #expect(!upload.isOver)
        let peaks = [
            try tunnel.server.process.peakResidentBytes(), try tunnel.client.process.peakResidentBytes(),
        ]
        #expect(peaks.allSatisfy { $0 < 120 << 20 }, "\(peaks)")
        gate.open()
        #expect(throws: (any Error).self) { try upload.value() }
    }
}
