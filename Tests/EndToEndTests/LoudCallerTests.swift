import Foundation
import Glibc
import TestSupport
import Testing

/// One address with thousands of slow requests, and callers from others.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LoudCallerTests {
    private static let isSlow = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] != nil

    /// What the others wait for their answers while slow ones come, and come again when they are sent away.
    private static func waits(
        _ agent: BesiegedAgent, slow head: String, count: Int, callers: Int, rounds: Int
    ) throws -> (waits: [Duration], failures: [String], held: Int) {
        var slow: [HTTPConnection] = []
        for _ in 0..<count {
            guard let connection = try? HTTPConnection(port: agent.port, from: 2) else { continue }
            try? connection.send(head)
            slow.append(connection)
        }
        let results = try inThreads(callers) { number in
            let connection = try HTTPConnection(port: agent.port, from: UInt8(10 + number))
            var waits: [Duration] = []
            var failures: [String] = []
            for _ in 0..<rounds {
                let start = ContinuousClock.now
                let answer = try connection.exchange("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
                waits.append(ContinuousClock.now - start)
                if answer.status != 200 { failures.append("\(answer.status): \(answer.text)") }
                // They are people: between two requests they look at what came.
                usleep(200_000 + UInt32(number % 10) * 10_000)
            }
            connection.close()
            return (waits, failures)
        }
        let held = try agent.process.openFileCount()
        for connection in slow { connection.reset() }
        return (results.flatMap(\.0), results.flatMap(\.1), held)
    }

    private static let slowHead = "POST /upload HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n"

    @Test(arguments: ["heads", "bodies"]) func oneAddressWithSlowRequestsHoldsUpNobodyElse(_ what: String)
        throws
    {
        let agent = try BesiegedAgent(server: [
            "limits: { per-address: { connections: 100 }, body-rate: 1KiB }"
        ])
        let head = what == "heads" ? Self.slowHead : Self.slowHead + "Content-Length: 100000\r\n\r\nx"
        let (count, callers) = Self.isSlow ? (5000, 100) : (400, 20)
        let usual = try Self.waits(agent, slow: head, count: 0, callers: callers, rounds: 20)
        let seen = try Self.waits(agent, slow: head, count: count, callers: callers, rounds: 20)
        #expect(seen.failures.isEmpty)
        // Those of the loud one that count, or were told why not; the others', the tunnel's, and the agent's own.
        #expect(seen.held < 150 + callers + 100)
        let (before, p99) = (Self.p99(usual.waits), Self.p99(seen.waits))
        print("\(count) slow \(what): p99 \(p99), without them \(before)")
        // Where the machine has other work the scheduler alone takes longer; the slow tests have it for themselves.
        #expect(p99 < max(Self.isSlow ? .milliseconds(50) : .seconds(5), before * 3))
    }

    private static func p99(_ waits: [Duration]) -> Duration {
        let sorted = waits.sorted()
        return sorted[sorted.count * 99 / 100]
    }
}
