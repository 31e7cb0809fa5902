import Foundation
import TestSupport
import Testing

/// Who comes by long polling and breaks its rules: a session may end by it, and nothing else.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostilePollTests {
    /// For all tests that do the agent no lasting harm.
    private static let shared = SharedWhileUsed<BesiegedAgent>()

    private static func agent() throws -> BesiegedAgent { try shared.value { try BesiegedAgent() } }

    /// A good client that comes by long polling, too, and who calls it.
    private final class PolledBystander {
        let client: AgentProcess
        let bystander: Bystander

        init(_ agent: BesiegedAgent) throws {
            let token = uniqueToken()
            client = try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(agent.port)", to: "builtin:echo", token: token,
                    options: ["transport: longpoll", "connections: 1"]))
            try HostileTunnelPeerTests.waitUntilJoined(agent, token)
            bystander = try Bystander(port: agent.port, token: token)
        }

        func finish() throws { try withExtendedLifetime(client) { try bystander.finish() } }
    }

    /// The kernel tells nobody that a process grows, so it is asked again and again.
    ///
    /// - Returns: as soon as it is no less than that, or after a while.
    private static func residentBytes(_ agent: BesiegedAgent, upTo bound: Int) throws -> Int {
        let deadline = ContinuousClock.now + .seconds(2)
        while true {
            let now = try agent.process.residentBytes()
            guard now < bound, ContinuousClock.now < deadline else { return now }
            usleep(50_000)
        }
    }

    // MARK: Names

    @Test func twoClientsWithOneNameHarmNobodyElse() throws {
        let agent = try Self.agent()
        let (bystander, polled) = (try Bystander(port: agent.port), try PolledBystander(agent))
        let owner = try PollingPeer(port: agent.port, token: uniqueToken())
        var statuses: Set<Int> = []
        let ping = webSocketFrame(opcode: 2, Mux.frame(.ping, [0, 0, 0, 0, 0, 0, 0, 1]), isMasked: false)
        for round in 0..<50 {
            let stolen = PollFrame(
                hold: UInt16(round % 3), number: owner.number + 1, offset: owner.sent,
                data: [UInt8](repeating: UInt8(round), count: round % 7))
            statuses.insert(try owner.exchange(stolen).status)
            guard (try? owner.poll(ping)) != nil else { break }
        }
        #expect(statuses.isSubset(of: [200, 410]))
        try polled.finish()
        try bystander.finish()
    }

    // MARK: Order

    @Test(arguments: [1, 2, 3] as [UInt64]) func replayedAndReorderedSegmentsAreTakenOnceAndInOrder(
        seed: UInt64
    ) throws {
        let agent = try Self.agent()
        let token = uniqueToken()
        let peer = try PollingPeer(port: agent.port, token: token, settings: nil)
        let mark: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let bytes =
            webSocketFrame(opcode: 2, Mux.settings(), isMasked: false)
            + webSocketFrame(opcode: 2, Mux.frame(.ping, mark), isMasked: false)
        var random = SplitMix64(seed: seed)
        var segments: [Range<Int>] = []
        for start in stride(from: 0, to: bytes.count, by: 5) {
            segments.append(start..<min(bytes.count, start + 5))
            // Some that overlap.
            segments.append(max(0, start - 3)..<min(bytes.count, start + 4))
        }
        segments.shuffle(using: &random)
        var requests: [PollFrame] = []
        for segment in segments {
            peer.number += 1
            requests.append(
                PollFrame(
                    number: peer.number, offset: UInt64(segment.lowerBound), data: Array(bytes[segment])))
        }
        requests += requests
        requests.shuffle(using: &random)
        for request in requests { #expect(try peer.exchange(request).status == 200) }
        peer.sent = UInt64(bytes.count)
        try HostileTunnelPeerTests.waitUntilJoined(agent, token)

        var polls = 0
        let pongs = {
            try peer.muxFrames().count {
                $0.kind == Mux.Kind.ping.rawValue && $0.flags == Mux.answer && $0.payload == mark
            }
        }
        while try pongs() == 0, polls < 100 {
            let answer = try peer.poll(hold: 5)
            #expect(answer.acknowledged == UInt64(bytes.count))
            polls += 1
        }
        try peer.poll(hold: 1)
        #expect(try pongs() == 1)
    }

    // MARK: Numbers

    /// Of what a head says: none brings the server down, and most end no more than the request.
    @Test func extremeNumbersHarmNobodyElse() throws {
        let agent = try Self.agent()
        let (bystander, polled) = (try Bystander(port: agent.port), try PolledBystander(agent))
        let values: [UInt64] = [
            0, 1, 4 << 20, 4 << 20 + 1, 1 << 32 - 1, 1 << 61, 1 << 62 - 1, 1 << 62, 1 << 63 - 1, 1 << 63,
            .max,
        ]
        let tries: [(String, (inout PollFrame, UInt64) -> Void)] = [
            ("number", { $0.number = $1 }), ("acknowledged", { $0.acknowledged = $1 }),
            ("limit", { $0.limit = $1 }), ("offset", { $0.offset = $1 }),
            ("others", { ($0.others, $0.number) = ([UInt64](repeating: $1, count: 24), 5) }),
            ("data", { ($0.offset, $0.data) = ($1, [1, 2, 3]) }),
            ("end", { ($0.offset, $0.flags) = ($1, PollFrame.end) }),
            ("all", { ($0.number, $0.acknowledged, $0.limit, $0.offset) = ($1, $1, $1, $1) }),
            ("flags", { $0.flags = UInt8(truncatingIfNeeded: $1 % 97 + $1 >> 56) }),
        ]
        for (name, change) in tries {
            for value in values {
                let peer = try PollingPeer(port: agent.port, token: uniqueToken())
                var frame = PollFrame(number: 2, offset: peer.sent)
                change(&frame, value)
                let status = try peer.exchange(frame).status
                #expect([200, 400, 410].contains(status), "\(name) \(value): \(status)")
                // A number that cannot be is none of ours.
                if value >= 1 << 62, name != "others", name != "flags" {
                    #expect(status == 400, "\(name) \(value)")
                    #expect(try peer.poll().number == peer.number, "\(name) \(value)")
                }
                peer.connection.close()
            }
        }
        #expect(agent.process.exit == nil)
        try polled.finish()
        try bystander.finish()
    }

    @Test func bodiesThatAreNoFramesAreRefusedAndEndNoSession() throws {
        let agent = try Self.agent()
        let peer = try PollingPeer(port: agent.port, token: uniqueToken())
        let right = PollFrame(number: 1000, offset: peer.sent)
        let bodies: [(String, [UInt8], Int)] = [
            ("garbage", Array("<html>".utf8), 400),
            ("cut", Array(right.bytes.dropLast()), 400),
            ("too long for its request", PollFrame(number: 1000, length: 100).bytes, 400),
            ("too long", PollFrame(number: 1000, length: 2 << 20 + 1).bytes, 400),
            ("far too long", PollFrame(number: 1000, length: .max).bytes, 400),
            (
                "too many others", PollFrame(number: 1000, others: [UInt64](repeating: 1, count: 25)).bytes,
                400
            ),
            ("another version", PollFrame(magic: Array("WLP2".utf8), number: 1000).bytes, 400),
            ("two", right.bytes + right.bytes, 200),
        ]
        for (name, body, status) in bodies {
            let connection = try HTTPConnection(port: agent.port)
            try PollingPeer.send(body, of: peer.session, on: connection)
            #expect(try connection.readResponse().status == status, "\(name)")
            connection.close()
        }
        #expect(try peer.poll().number == peer.number)
    }

    /// Of either direction: the session that does it ends, and the log says so.
    @Test(arguments: [
        PollFrame(number: 5, acknowledged: 1 << 30), PollFrame(number: 5, offset: 5 << 20, data: [1]),
        PollFrame(flags: PollFrame.end, number: 5),
    ])
    func whoBreaksTheRulesOfWindowsLosesItsSession(frame: PollFrame) throws {
        let agent = try Self.agent()
        let token = uniqueToken()
        let peer = try PollingPeer(port: agent.port, token: token)
        let other = try PollingPeer(port: agent.port, token: token)
        #expect(try peer.exchange(frame).status == 410)
        let line = try agent.agent.waitForLog("Session left", ["token.hint": "\(token.prefix(8))..."])
        #expect(line["close.reason"]?.contains("broke the rules of the long-poll carrier") == true)
        #expect(try other.poll().number == other.number)
    }

    // MARK: Memory

    /// A window without end, and nothing is ever acknowledged.
    @Test func aWindowThatLiesFillsNoMemory() throws {
        let agent = try BesiegedAgent()
        let bystander = try Bystander(port: agent.port)
        let token = uniqueToken()
        let peer = try PollingPeer(port: agent.port, token: token, settings: Mux.settings(window: 64 << 20))
        let before = try agent.process.residentBytes()
        let callers = try Self.upload(agent, token)
        var brought = 0
        for number in 10..<60 as Range<UInt64> {
            // What was answered to those that it does not name would be sent again.
            let answer = try peer.exchange(
                PollFrame(
                    hold: 1, number: number, limit: 1 << 61, offset: peer.sent,
                    others: Array((10..<number).suffix(24))))
            guard answer.status == 200 else { break }
            brought += answer.body.count
        }
        #expect(brought > 1 << 20)
        #expect(try agent.process.peakResidentBytes() < before + (48 << 20))
        try bystander.finish()
        for caller in callers { caller.reset() }
    }

    /// Answers that their client asks for again and again, and never reads.
    @Test func answersThatNobodyReadsFillNoMemory() throws {
        let agent = try BesiegedAgent()
        let bystander = try Bystander(port: agent.port)
        let token = uniqueToken()
        let peer = try PollingPeer(port: agent.port, token: token, settings: Mux.settings(window: 64 << 20))
        let callers = try Self.upload(agent, token)
        // One stream takes what there is room for.
        let frame = PollFrame(
            flags: PollFrame.stream, hold: 600, number: 10, limit: 1 << 61, offset: peer.sent)
        let stream = try HTTPConnection(port: agent.port, limit: .seconds(1))
        try PollingPeer.send(frame.bytes, of: peer.session, on: stream)
        var taken = 0
        #expect(throws: StreamEnd.timedOut) {
            while true { taken += try stream.socket.readSome().count }
        }
        #expect(taken > 1 << 20)
        let before = try agent.process.residentBytes()
        let again = PollFrame(number: 10, limit: 1 << 61, offset: peer.sent)
        let readers = try (0..<50).map { _ in
            let reader = try HTTPConnection(port: agent.port, receiveBuffer: 4096)
            try PollingPeer.send(again.bytes, of: peer.session, on: reader)
            return reader
        }
        let bound = before + (64 << 20)
        let resident = try Self.residentBytes(agent, upTo: bound)
        #expect(resident < bound)
        try bystander.finish()
        for connection in readers + callers + [stream] { connection.reset() }
    }

    /// What stands behind a gap, of requests that are never whole.
    @Test func gapsThatAreNeverClosedFillNoMemory() throws {
        let agent = try BesiegedAgent()
        let bystander = try Bystander(port: agent.port)
        let before = try agent.process.residentBytes()
        let data = [UInt8](repeating: 1, count: 2 << 20 - 100)
        var connections: [HTTPConnection] = []
        for number in 0..<30 {
            let peer = try PollingPeer(port: agent.port, token: "hostile-gap-token-\(number)")
            for part in 0..<2 {
                let connection = try HTTPConnection(port: agent.port)
                let frame = PollFrame(
                    number: UInt64(10 + part), offset: peer.sent + 1 + UInt64(part * data.count), data: data)
                try connection.socket.writeHead(
                    "POST \(PollingPeer.path) HTTP/1.1",
                    [
                        ("Host", "a"), ("X-Tunnel-Session", peer.session),
                        ("Content-Length", String(frame.bytes.count)),
                    ])
                try connection.send(Array(frame.bytes.dropLast()))
                connections.append(connection)
            }
        }
        let bound = before + (80 << 20)
        let resident = try Self.residentBytes(agent, upTo: bound)
        #expect(resident < bound)
        try bystander.finish()
        for connection in connections { connection.reset() }
    }

    /// A byte that stands behind a gap is worth a byte, whatever it came with.
    @Test func bytesBehindGapsKeepNoBuffersAlive() throws {
        let agent = try BesiegedAgent()
        let bystander = try Bystander(port: agent.port)
        let before = try agent.process.residentBytes()
        let peers = try (0..<12).map { number in
            let peer = try PollingPeer(port: agent.port, token: "hostile-slice-token-\(number)")
            // Each has one byte more in front than the one before.
            for part in 0..<62 {
                let frame = PollFrame(
                    number: UInt64(10 + part), offset: peer.sent + 1000 - UInt64(part),
                    data: [UInt8](repeating: 1, count: 60_000 + part))
                try PollingPeer.send(frame.bytes, of: peer.session, on: peer.connection)
                #expect(try peer.connection.readResponse().status == 200)
            }
            return peer
        }
        let resident = try agent.process.residentBytes()
        #expect(resident < before + (20 << 20))
        try bystander.finish()
        for peer in peers { peer.connection.reset() }
    }

    /// Callers that send large bodies into a session until it takes no more.
    private static func upload(_ agent: BesiegedAgent, _ token: String) throws -> [HTTPConnection] {
        try HostileTunnelPeerTests.waitUntilJoined(agent, token)
        let port = agent.port
        return try inThreads(8) { _ in
            let caller = try HTTPConnection(port: port, limit: .milliseconds(500))
            try caller.send(
                "POST / HTTP/1.1\r\nHost: a\r\nX-Token: \(token)\r\nContent-Length: 1000000000\r\n\r\n")
            let piece = [UInt8](repeating: 1, count: 65_536)
            #expect(throws: StreamEnd.timedOut) {
                while true { try caller.send(piece) }
            }
            return caller
        }
    }

    // MARK: Many

    @Test func tenThousandHalfMadeSessionsFillNoMemoryAndHoldNobodyUp() throws {
        let agent = try BesiegedAgent(server: ["trusted-proxies: [127.0.0.1]"])
        let polled = try PolledBystander(agent)
        let before = try agent.process.residentBytes()
        let port = agent.port
        let refused = try inThreads(4) { thread in
            let connection = try HTTPConnection(port: port)
            var refused = 0
            for round in 0..<25 {
                // A hundred at once from each of a hundred addresses.
                let address = "198.51.\(100 + thread).\(round)"
                let fields = [("Origin", "hostile-half-made-01"), ("X-Forwarded-For", address)]
                for _ in 0..<100 {
                    try connection.send(
                        "POST", PollingPeer.path, fields: fields, body: PollFrame(number: 0).bytes)
                }
                for _ in 0..<100 {
                    if try connection.readResponse().status != 200 { refused += 1 }
                }
            }
            connection.close()
            return refused
        }
        #expect(refused == [0, 0, 0, 0])
        #expect(try agent.process.residentBytes() < before + (25 << 20))

        // One address alone has fewer.
        let statuses = try (0..<300).map { _ in
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            return try PollingPeer.open(
                on: connection, token: "hostile-half-made-01", fields: [("X-Forwarded-For", "192.0.2.7")]
            ).status
        }
        #expect(statuses.prefix(256).allSatisfy { $0 == 200 } && Set(statuses).isSubset(of: [200, 429]))
        try polled.finish()
        #expect(try agent.request().status == 200)
        #expect(agent.process.exit == nil)
    }
}
