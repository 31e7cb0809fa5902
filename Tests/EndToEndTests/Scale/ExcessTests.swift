import Foundation
import TestSupport
import Testing

/// More requests than a tunnel can carry: as many as fit are carried, and the rest waits for its turn or is told when to
/// come again. Nobody is left without an answer.
@Suite final class ExcessTests {
    private static let fitting = 1000
    private static let excess = 100

    private let gate = Gate()
    private let origin: ScriptedOrigin

    init() throws {
        origin = try ScriptedOrigin(limit: .seconds(60)) { [gate] connection in
            while let request = try connection.readRequest() {
                if request.target == "/held" { try gate.wait(within: .seconds(60)) }
                try connection.respond(text: request.target)
            }
        }
    }

    deinit { gate.open() }

    private func callers(_ tunnel: TunnelPair) throws -> [HTTPConnection] {
        let callers = try (0..<Self.fitting + Self.excess).map { _ in
            let caller = try tunnel.connect(limit: .seconds(50))
            try caller.send("GET", "/held", fields: [("X-Token", TunnelPair.token)])
            return caller
        }
        try origin.waitForConnections(Self.fitting, within: .seconds(40))
        return callers
    }

    @Test(.timeLimit(.minutes(1))) func whoDoesNotFitWaitsAndIsServed() throws {
        let tunnel = try TunnelPair(
            to: origin.url, serverOptions: ["max-requests-per-tunnel: 1"], connections: 1)
        let callers = try callers(tunnel)
        gate.open()
        for caller in callers { #expect(try caller.readResponse().text == "/held") }
    }

    @Test(.timeLimit(.minutes(1))) func aServerLetsASessionCarryFewer() throws {
        let gate = Gate()
        defer { gate.open() }
        let held = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try gate.wait()
                try connection.respond(text: "well")
            }
        }
        let tunnel = try TunnelPair(
            to: held.url, serverOptions: ["queue-timeout: 1s", "max-requests-per-session: 3"], connections: 1)
        let callers = try (0..<5).map { _ in try HTTPConnection(port: tunnel.port) }
        for caller in callers { try caller.send("GET", "/", fields: [("X-Token", TunnelPair.token)]) }
        try tunnel.server.process.standardError.waitForLines(2, containing: "status=503")
        gate.open()
        let statuses = try callers.map { try $0.readResponse().status }
        #expect(statuses.count { $0 == 200 } == 3 && statuses.count { $0 == 503 } == 2)
    }

    @Test(.timeLimit(.minutes(1))) func whoWaitedTooLongIsToldWhenToComeAgainAndTheRestIsServed() throws {
        let tunnel = try TunnelPair(to: origin.url, serverOptions: ["queue-timeout: 1s"], connections: 1)
        let callers = try callers(tunnel)
        try tunnel.server.process.standardError.waitForLines(Self.excess, containing: "status=503")
        // Nobody who fits was among the refused: they are answered now.
        gate.open()
        var refused = 0
        for caller in callers {
            let answer = try caller.readResponse()
            guard answer.status != 200 else { continue }
            #expect(answer.status == 503)
            #expect(
                answer.text == "The tunnel takes no more requests now (limit: max-requests-per-session)\n")
            #expect(answer.head["Retry-After"] == "1")
            refused += 1
        }
        #expect(refused == Self.excess)
        #expect(try tunnel.exchange("GET", "/fresh").text == "/fresh")
    }
}
