import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct FaultyRelayTests {
    /// An origin that tells which requests it got, by their targets, in the order in which it got them.
    private final class Listening: Sendable {
        let seen = Mutex<[String]>([])
        let count = WaitableCounter()

        func origin() throws -> ScriptedOrigin {
            try ScriptedOrigin { [self] connection in
                while let request = try connection.readRequest() {
                    seen.withLock { $0.append(request.target) }
                    count.add(1)
                    if request.has("Upgrade", "websocket") {
                        try connection.acceptWebSocket(request)
                        return try connection.echoWebSocket()
                    }
                    try connection.echo(request)
                }
            }
        }

        var targets: [String] { seen.withLock(\.self) }
    }

    private let listening = Listening()

    private let origin: ScriptedOrigin

    init() throws { origin = try listening.origin() }

    private func relay(_ body: (inout RelayFaults) -> Void) throws -> FaultyRelay {
        try FaultyRelay(to: origin.port, RelayFaults(body))
    }

    @Test(arguments: [false, true])
    func whatHasNoFaultPassesAsItIs(isDelayed: Bool) throws {
        let relay = try relay { if isDelayed { $0.delay = .milliseconds(5) } }
        let caller = try HTTPConnection(port: relay.port)
        var random = SplitMix64(seed: 3)
        for size in [0, 1, 1000, 1 << 20] {
            let body = random.bytes(size)
            let answer = try caller.exchange("POST", "/\(size)", body: body)
            let isSame = answer.status == 200 && answer.body == body
            #expect(isSame, "\(size) bytes")
            // Chunked, with trailers.
            try caller.send("POST", "/", fields: [("Transfer-Encoding", "chunked")])
            for piece in 0..<3 { try caller.socket.writeChunk(Array(body.prefix(size / 4 * piece))) }
            try caller.socket.writeLastChunk(trailers: [("X-Trailer", "end")])
            let chunked = try caller.readResponse()
            let isSameToo = chunked.body == (0..<3).flatMap { body.prefix(size / 4 * $0) }
            #expect(isSameToo, "\(size) bytes")
            #expect(chunked.trailers.map(\.value) == ["end"])
        }
        #expect(try caller.exchange("HEAD", "/").body.isEmpty)
        #expect(origin.connectionCount == 1)
        let socket = try WebSocketConnection(port: relay.port)
        try socket.send(.text("hello"))
        #expect(try socket.receive() == .text("hello"))
        try socket.send(.close(code: 1000, reason: ""))
        #expect(try socket.receive() == .close(code: 1000, reason: ""))
        #expect(socket.socket.waitForEnd() == .closed)
        // Who leaves is seen to leave.
        caller.close()
        try origin.waitForEnds(2, within: .seconds(5))
    }

    @Test func connectionsAreCutAfterTheirTime() throws {
        let relay = try relay { $0.cutAfter = .milliseconds(300) }
        let caller = try HTTPConnection(port: relay.port)
        let time = ContinuousClock().measure {
            #expect(throws: StreamEnd.self) {
                while true { _ = try caller.exchange("POST", "/", body: Array("x".utf8)) }
            }
        }
        #expect(time > .milliseconds(290) && time < .seconds(5), "\(time)")
        try relay.counts.cut.wait(for: 1, within: .seconds(5), what: "cuts")
        try origin.waitForEnds(1, within: .seconds(5))
    }

    @Test func oneAnswerInSomeIsLost() throws {
        let relay = try relay { $0.lostAnswer = 5 }
        var lost = 0
        for number in 0..<20 {
            let caller = try HTTPConnection(port: relay.port)
            try caller.send("POST", "/\(number)", body: Array("x".utf8))
            do {
                #expect(try caller.readResponse().text == "x")
            } catch StreamEnd.closed {
                lost += 1
            }
        }
        #expect(lost == 4)
        #expect(listening.targets == (0..<20).map { "/\($0)" })
    }

    @Test func requestsAreRepeated() throws {
        let relay = try relay { $0.repeatedRequest = 2 }
        let caller = try HTTPConnection(port: relay.port)
        for number in 0..<20 {
            let answer = try caller.exchange("POST", "/\(number)", body: Array("\(number)".utf8))
            #expect(answer.text == "\(number)")
        }
        try listening.count.wait(for: 30, within: .seconds(10), what: "requests at the origin")
        #expect(listening.targets.count == 30)
        #expect(Set(listening.targets).count == 20)
        #expect(relay.counts.repeated.value == 10)
    }

    @Test func aRequestIsOvertakenByTheNext() throws {
        let relay = try relay {
            $0.overtakenRequest = 1
            $0.longestWait = .seconds(10)
        }
        let first = try HTTPConnection(port: relay.port)
        let second = try HTTPConnection(port: relay.port)
        try first.send("POST", "/first", body: Array("1".utf8))
        try relay.counts.requests.wait(for: 1, within: .seconds(10), what: "requests at the relay")
        relay.change { $0.overtakenRequest = nil }
        #expect(try second.exchange("POST", "/second", body: Array("2".utf8)).text == "2")
        #expect(try first.readResponse().text == "1")
        #expect(Set(listening.targets) == ["/first", "/second"])
        #expect(relay.counts.overtaken.value == 1)
    }

    @Test func theBeginningOfAnAnswerIsHeldBack() throws {
        let more = Gate()
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.startEventStream()
                try connection.socket.writeChunk(SplitMix64(seed: 1).sequence(1024))
                if request.target == "/more" {
                    try more.wait()
                    try connection.socket.writeChunk([1])
                    try more.wait()
                }
                try connection.socket.writeLastChunk()
            }
        }
        let relay = try FaultyRelay(to: origin.port, RelayFaults { $0.heldBytes = 1024 })
        let caller = try HTTPConnection(port: relay.port)
        #expect(try caller.exchange("GET", "/").body.count == 1024)
        try caller.send("GET", "/more")
        caller.socket.set(limit: .milliseconds(300))
        #expect(throws: StreamEnd.timedOut) { try caller.readHead() }
        more.open()
        caller.socket.set(limit: .seconds(20))
        #expect(try caller.readResponse().body.count == 1025)
        #expect(relay.counts.held.value > 0)
    }

    @Test func oneConnectionAtATimeIsAccepted() throws {
        let relay = try relay { $0.isOneAtATime = true }
        let first = try HTTPConnection(port: relay.port)
        #expect(try first.exchange("GET", "/").status == 200)
        let second = try HTTPConnection(port: relay.port, limit: .milliseconds(300))
        try second.send("GET", "/second")
        #expect(throws: StreamEnd.timedOut) { try second.readHead() }
        #expect(relay.counts.accepted.value == 1)
        second.socket.set(limit: .seconds(20))
        first.close()
        #expect(try second.readResponse().status == 200)
    }

    @Test func upgradesAreSpoiltUntilTheRelayIsMended() throws {
        let relay = try relay { $0.upgrades = .swallowed }
        #expect(throws: StreamEnd.timedOut) {
            try WebSocketConnection(port: relay.port, limit: .milliseconds(300))
        }
        #expect(listening.targets.isEmpty)
        for isAnswered in [false, true] {
            relay.change { $0.upgrades = .cut(isAnswered: isAnswered) }
            #expect(throws: StreamEnd.self) {
                _ = try WebSocketConnection(port: relay.port).receive()
            }
        }
        relay.change { $0.upgrades = .stripped }
        #expect(throws: TestFailure.self) { try WebSocketConnection(port: relay.port, target: "/stripped") }
        #expect(listening.targets.last == "/stripped")
        #expect(try HTTPConnection(port: relay.port).exchange("GET", "/").status == 200)
        relay.mend()
        _ = try WebSocketConnection(port: relay.port)
        #expect(relay.counts.switched.value == 1)
    }

    @Test func theRelayAnswersInItsOwnName() throws {
        let relay = try relay { $0.longestBody = 1000 }
        let refused = try HTTPConnection(port: relay.port)
            .exchange("POST", "/", body: SplitMix64(seed: 1).sequence(500_000))
        #expect(refused.status == 413)
        #expect(try HTTPConnection(port: relay.port).exchange("POST", "/", body: [1]).status == 200)
        relay.change { $0.blockPage = true }
        let page = try HTTPConnection(port: relay.port).exchange("GET", "/")
        #expect(page.status == 200 && page.head["Content-Type"] == "text/html")
        #expect(listening.targets == ["/"])
    }

    @Test(arguments: [0, 50])
    func itIsNotWhatLimitsTheRate(delay: Int) throws {
        let size = 128 << 20
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try connection.writeHead(200, fields: [("Content-Length", String(size))])
                let piece = [UInt8](repeating: 7, count: 1 << 20)
                for _ in 0..<size >> 20 { try connection.socket.write(piece) }
            }
        }
        let relay = try FaultyRelay(
            to: origin.port, RelayFaults { if delay > 0 { $0.delay = .milliseconds(delay) } })
        var count = 0
        let caller = try HTTPConnection(port: relay.port)
        let time = try ContinuousClock().measure {
            try caller.send("GET", "/")
            _ = try caller.readHead()
            try caller.socket.readBody(.length(size)) { count += $0.count }
        }
        #expect(count == size)
        #expect(time < .milliseconds(1280 + 4 * delay), "\(time)")
    }
}

extension SplitMix64 {
    /// The first bytes of its sequence.
    fileprivate func sequence(_ count: Int) -> [UInt8] {
        var copy = self
        return copy.bytes(count)
    }
}
