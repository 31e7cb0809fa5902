import Foundation
import TestSupport
import Testing

/// More requests than a tunnel can carry: as many as fit are carried, a few wait, and the rest is told when to come
/// again. Nobody is left without an answer.
@Suite struct ExcessTests {
    private static let fitting = 1000
    private static let waiting = 20
    private static let excess = 80

    @Test(.timeLimit(.minutes(1))) func theExcessIsToldWhenToComeAgainAndTheRestIsServed() throws {
        let gate = Gate()
        defer { gate.open() }
        let origin = try ScriptedOrigin(limit: .seconds(60)) { connection in
            while let request = try connection.readRequest() {
                if request.target == "/held" { try gate.wait(within: .seconds(60)) }
                try connection.respond(text: request.target)
            }
        }
        let tunnel = try TunnelPair(
            to: origin.url, serverOptions: ["max-requests-per-tunnel: \(Self.waiting)"], connections: 1)
        let callers = try (0..<Self.fitting + Self.waiting + Self.excess).map { _ in
            let caller = try tunnel.connect(limit: .seconds(50))
            try caller.send("GET", "/held", fields: [("X-Token", TunnelPair.token)])
            return caller
        }
        try origin.waitForConnections(Self.fitting, within: .seconds(40))
        try tunnel.server.process.standardError.waitForLines(Self.excess, containing: "status=50")
        // Nobody who fits was among the refused: they are answered now.
        gate.open()
        var refused = 0
        for caller in callers {
            let answer = try caller.readResponse()
            guard answer.status != 200 else { continue }
            #expect(
                [503, 504].contains(answer.status) && answer.head["Retry-After"] != nil, "\(answer.head)")
            refused += 1
        }
        #expect(refused == Self.excess)
        #expect(try tunnel.exchange("GET", "/fresh").text == "/fresh")
    }
}
