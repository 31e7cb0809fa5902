import Foundation
import Glibc
import TestSupport
import Testing

/// An agent that runs short of something.
@Suite(.timeLimit(.minutes(3))) struct LoadSheddingTests {
    private static let token = "load-shedding-test-1"

    /// An agent with a tunnel to itself, and what its callers do.
    private final class World {
        let origin: HoldingOrigin
        let port: Int
        let tcpPort: Int
        let world: ReloadedAgent

        init(load: String, transport: String = "websocket") throws {
            origin = try HoldingOrigin("origin")
            (port, tcpPort) = (try freePort(), try freePort())
            world = try ReloadedAgent(Self.text(load, port, tcpPort, origin.url, transport))
            self.transport = transport
            try world.waitForTunnel()
        }

        private let transport: String

        private static func text(
            _ load: String, _ port: Int, _ tcpPort: Int, _ origin: String, _ transport: String
        ) -> String {
            """
            load-shedding: \(load)
            servers:
              - name: public
                host: 127.0.0.1
                port: \(port)
                ports: [{ port: \(tcpPort), host: 127.0.0.1, token: \(token) }]
            tunnels:
              - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: \(token), connections: 1, transport: \(transport) }

            """
        }

        /// Has other rules applied.
        ///
        /// - Returns: the line of the log from which on they hold.
        @discardableResult
        func apply(_ load: String) throws -> Int {
            let start = world.agent.log.count
            let outcome = try world.apply(Self.text(load, port, tcpPort, origin.url, transport))
            #expect(outcome == .applied)
            return start
        }

        /// Says that there are so many descriptors that it uses that share of them.
        func claim(share: Double, stage: Int) throws {
            let open = try world.agent.process.openFileCount()
            let start = try apply("{ memory: off, descriptors: \(Int((Double(open) / share).rounded())) }")
            try waitFor(stage: stage, "descriptors", from: start)
        }

        func waitFor(
            stage: Int, _ cause: String, _ message: String = "Load shedding", from start: Int
        ) throws {
            try world.agent.waitForLog(
                message, ["load.stage": "\(stage)", "load.cause": cause], from: start, within: .seconds(60))
        }

        func ask(_ target: String = "/") throws -> (answer: HTTPResponse, hasEnded: Bool) {
            let caller = try HTTPConnection(port: port)
            defer { caller.close() }
            let answer = try caller.exchange("GET", target, fields: [("X-Token", token)])
            let isLast = answer.head.has("Connection", "close")
            return (answer, isLast && caller.waitForEnd() == .closed)
        }
    }

    @Test func stagesComeAndGoAndWhatIsUnderWayIsFinished() throws {
        let world = try World(load: "off")
        let agent = world.world.agent
        var held = try (0..<60).map { _ in try world.origin.hold(port: world.port, token: Self.token) }
        let stream = try world.origin.stream(port: world.port, token: Self.token)
        let idle = try HTTPConnection(port: world.port)
        #expect(try idle.exchange("GET", "/", fields: [("X-Token", Self.token)]).text == "origin")
        #expect(try !world.ask().hasEnded)

        // 1: connections end behind their answers, and those that wait for a request now.
        try world.claim(share: 0.83, stage: 1)
        #expect(idle.waitForEnd() == .closed)
        for _ in 0..<2 {
            let (answer, hasEnded) = try world.ask()
            #expect(answer.text == "origin" && hasEnded)
        }
        let framed = try HTTPConnection(port: world.port)
        try framed.send(
            HTTP2Frames.preface + HTTP2Frames.frame(1, 5, 1, HTTP2Frames.request(token: Self.token)))
        while try framed.socket.readFrame(of: 0).type != 7 {}
        let url = "http://127.0.0.1:\(world.port)/"
        let twice = try curl("--http2-prior-knowledge", "-H", "X-Token: \(Self.token)", url, url)
        #expect(twice.exitCode == 0 && twice.text.hasPrefix("originorigin"), "\(twice)")
        #expect(try held.removeLast().finish() == "origin")

        // 2: new requests are refused; the health check is not, nor what has begun.
        try world.claim(share: 0.92, stage: 2)
        let refused = try world.ask().answer
        #expect(
            refused.status == 503 && refused.head["X-Limit"] == "load" && refused.head["Retry-After"] == "5")
        #expect(refused.text.contains("overloaded"))
        #expect(try world.ask("/_health_check").answer.status == 200)
        #expect(try held.removeLast().finish() == "origin")
        let status = try wstunnel(["status", "--config", agent.configurationPath])
        #expect(try status.waitForExit() == .code(69))
        let words = status.standardOutput.lines.joined(separator: " ")
        #expect(
            words.contains("stage 2 by descriptors") && words.contains("new requests are refused"), "\(words)"
        )

        // 3, and back when what was under way is over.
        try world.claim(share: 1, stage: 3)
        #expect(try world.ask().answer.status == 503)
        let start = agent.log.count
        try stream.finish()
        for request in held { #expect(try request.finish() == "origin") }
        for stage in [2, 1, 0] { try world.waitFor(stage: stage, "descriptors", from: start) }
        let (answer, hasEnded) = try world.ask()
        #expect(answer.text == "origin" && !hasEnded)
        #expect(try wstunnel(["status", "--config", agent.configurationPath]).waitForExit() == .code(0))
    }

    /// Far more memory is used than there is said to be.
    @Test func memoryIsLookedAtAndReloadsChangeWhatIsDone() throws {
        let world = try World(load: "{ memory: 1MiB, enforce: false }")
        let connections = try world.world.waitForTunnel()
        try world.waitFor(stage: 3, "memory", "Load shedding, not enforced", from: 0)
        #expect(try world.ask().answer.text == "origin")

        var start = try world.apply("{ memory: 1MiB }")
        try world.waitFor(stage: 3, "memory", from: start)
        #expect(try world.ask().answer.status == 503)
        // Who reads when it has sent everything gets it too, however long that takes.
        let slow = try HTTPConnection(port: world.port)
        try slow.send("POST", "/", fields: [("X-Token", Self.token), ("Content-Length", "100000000")])
        let end = ContinuousClock.now + .seconds(6)
        while ContinuousClock.now < end {
            try slow.socket.write([UInt8](repeating: 7, count: 16 << 10))
            usleep(20_000)
        }
        #expect(try slow.readResponse().status == 503)
        // Without a word: there is nothing to say it in.
        #expect(try HTTPConnection(port: world.tcpPort).waitForEnd() != .timedOut)

        start = try world.apply("off")
        try world.waitFor(stage: 0, "memory", "Load shedding", from: start)
        let (answer, hasEnded) = try world.ask()
        #expect(answer.text == "origin" && !hasEnded)
        // No tunnel was lost over it.
        #expect(try world.world.status().connections(of: "web") == connections)
    }

    /// Its event loops are late again and again, as where far too much is asked of them.
    @Test func loopsThatAreLateForLongAreAReasonToo() throws {
        let world = try World(load: "{ memory: off, descriptors: off, loop-delay: 10ms }")
        let agent = world.world.agent
        let isTold = Background {
            try agent.waitForLog("Load shedding", ["load.cause": "loop-delay"], within: .seconds(60))
        }
        while !isTold.isOver {
            agent.process.send(signal: SIGSTOP)
            usleep(400_000)
            agent.process.send(signal: SIGCONT)
            usleep(20_000)
        }
        #expect(try isTold.value()["load.limit"] == "10")
    }

    /// Its requests are a tunnel client's.
    @Test func aTunnelThatGoesByRequestsGoesOn() throws {
        let world = try World(load: "{ memory: 1MiB }", transport: "longpoll")
        try world.waitFor(stage: 3, "memory", from: 0)
        let connections = try world.world.waitForTunnel()
        let start = try world.apply("off")
        try world.waitFor(stage: 0, "memory", from: start)
        #expect(try world.ask().answer.text == "origin")
        #expect(try world.world.status().connections(of: "web") == connections)
    }
}
