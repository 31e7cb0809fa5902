import Foundation
import TestSupport
import Testing

/// Callers that send nonsense get a clear answer or a closed connection, and nobody beside them notices.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostileCallerTests {
    /// For all tests that do the agent no lasting harm.
    private static let shared = SharedWhileUsed<BesiegedAgent>()

    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let bytes: [UInt8]
        /// The status to be seen first.
        let status: Int

        init(_ name: String, _ text: String, _ status: Int) {
            self.init(name, bytes: Array(text.utf8), status)
        }

        init(_ name: String, bytes: [UInt8], _ status: Int) {
            testDescription = name
            self.bytes = bytes
            self.status = status
        }
    }

    private static let good = "GET / HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n"
    private static let long = String(repeating: "x", count: 70_000)

    static let examples: [Example] = [
        Example(
            "a TLS hello", bytes: [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3] + [UInt8](repeating: 10, count: 300),
            400),
        Example("HTTP/2 as a text", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        Example("zeros", bytes: [UInt8](repeating: 0, count: 100_000), 414),
        Example("zeros and a line end", bytes: [0, 0, 0, 13, 10, 13, 10], 400),
        Example("a word", "hello\r\n\r\n", 400),
        Example("HTTP/0.9", "GET /\r\n\r\n", 400),
        Example("a version from the future", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        Example("a method of blanks", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Example("a target with a blank", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Example("a target with a control character", "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        Example("CONNECT", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 501),
        Example("a long request line", "GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        Example("a long header field", "\(good)A: \(long)\r\n\r\n", 431),
        Example("many header fields", good + String(repeating: "A: b\r\n", count: 500) + "\r\n", 431),
        Example("GET *", "GET * HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\r\n", 400),
        Example(
            "two hosts", "GET http://b/ HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\r\n", 400),
        Example("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        Example("PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n\(good)\r\n", 400),
        Example(
            "PROXY protocol in binary",
            bytes: [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 12, 1, 2, 3, 4],
            400),
        Example("no Host", "GET / HTTP/1.1\r\nX-Token: a\r\n\r\n", 400),
        Example("two Hosts", "\(good)Host: b\r\n\r\n", 400),
        Example("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", 400),
        Example("a folded header field", "\(good)A: b\r\n c\r\n\r\n", 400),
        Example("a blank before the colon", "\(good)A : b\r\n\r\n", 400),
        Example("a NUL in a value", "\(good)A: b\u{0}c\r\n\r\n", 400),
        Example("no colon", "\(good)A\r\n\r\n", 400),
        Example("a negative length", "\(post)Content-Length: -1\r\n\r\n", 400),
        Example("a signed length", "\(post)Content-Length: +1\r\n\r\nx", 400),
        Example("a hexadecimal length", "\(post)Content-Length: 0x1\r\n\r\nx", 400),
        Example("an endless length", "\(post)Content-Length: 99999999999999999999\r\n\r\n", 400),
        Example("two lengths", "\(post)Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
        Example("a list of lengths", "\(post)Content-Length: 1, 2\r\n\r\nxx", 400),
        Example(
            "length and chunks", "\(post)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400),
        Example(
            "chunks and length", "\(post)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            400),
        Example("an unknown coding", "\(post)Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        Example("a body without an end", "\(post)Transfer-Encoding: gzip\r\n\r\n", 400),
        Example("chunked is not last", "\(post)Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
        Example("chunked twice", "\(post)Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        Example("chunked in disguise", "\(post)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        Example(
            "chunks to HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nX-Token: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        Example(
            "garbage behind a whole request",
            "GET /_health_check HTTP/1.1\r\nHost: a\r\n\r\n\u{1}\u{2}\r\n\r\n", 200),
    ]

    @Test(
        .timeLimit(.minutes(1)),
        arguments: ["/a b HTTP/1.1", "/ HTTP/9.1", "/#x HTTP/1.1", "http://a#/x HTTP/1.1"])
    func theAnswerToAHeadThatMakesNoSenseHasNoBody(rest: String) throws {
        let server = try AgentProcess(configuration: Configuration.server([]))
        for method in ["HEAD", "GET"] {
            let caller = try HTTPConnection(port: try server.port(ofServer: "public"))
            try caller.send("\(method) \(rest)\r\nHost: a\r\n\r\n")
            try Self.expectRefusal(caller, hasBody: method == "GET")
        }
    }

    /// What is pipelined behind it is not answered, and does not count.
    @Test func theAnswerToAHeadThatMakesNoSenseIsNotThatToTheNextOne() throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        for (first, next) in [("GET", "HEAD"), ("HEAD", "GET")] {
            let caller = try HTTPConnection(port: agent.port)
            try caller.send(
                "\(first) / HTTP/9.1\r\nHost: a\r\n\r\n\(next) /_health_check HTTP/1.1\r\nHost: a\r\n\r\n")
            try Self.expectRefusal(caller, hasBody: first == "GET")
        }
    }

    /// All that comes is one answer, with or without the body that it announces.
    private static func expectRefusal(_ caller: HTTPConnection, hasBody: Bool) throws {
        let head = try caller.readHead()
        #expect(head.status == 400 || head.status == 505)
        let length = try #require(head["Content-Length"].flatMap { Int($0) })
        #expect(try caller.socket.readToEnd().count == (hasBody ? length : 0))
        #expect(length > 0)
    }

    @Test(.timeLimit(.minutes(1))) func noTokenInAPathIsLogged() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let other = "another-token-of-somebody"
        #expect(try tunnel.exchange("GET", "/x/_token/\(other)/y").status == 200)
        try tunnel.server.waitForLog("Request", ["path": "/x/_token/***/y"])
        #expect(!tunnel.server.log.contains { $0.contains(other) })
    }

    @Test(arguments: examples) func nonsenseGetsAClearAnswerAndAClosedConnection(_ example: Example) throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let bystander = try Bystander(port: agent.port)
        let caller = try HTTPConnection(port: agent.port)
        // It may be refused before all of it is written.
        try? caller.send(example.bytes)
        let answer = try caller.readResponse()
        #expect(answer.status == example.status, "\(answer.text)")
        if example.status != 200, !example.testDescription.hasPrefix("CONNECT") {
            #expect(answer.head["Connection"] == "close")
            #expect(answer.head["Content-Type"] == "text/plain; charset=utf-8")
            #expect(answer.text.hasSuffix("\n") && answer.text.count > 4)
        } else if example.status == 200 {
            #expect(try caller.readResponse().status == 400)
        } else {
            caller.socket.finishWriting()
        }
        #expect(caller.waitForEnd() != .timedOut)
        try bystander.finish()
    }

    struct BodyExample: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let body: String
    }

    /// The head is right, so the request is under way when the body goes wrong.
    @Test(arguments: [
        BodyExample(testDescription: "no size", body: "zz\r\nhello\r\n0\r\n\r\n"),
        BodyExample(testDescription: "a negative size", body: "-5\r\nhello\r\n0\r\n\r\n"),
        BodyExample(testDescription: "an endless size", body: "fffffffffffffffff\r\nhello\r\n"),
        BodyExample(testDescription: "a chunk that goes on", body: "3\r\nhello\r\n0\r\n\r\n"),
        BodyExample(
            testDescription: "a long extension",
            body: "5;" + String(repeating: "a", count: 100_000) + "\r\nhello\r\n"),
        BodyExample(testDescription: "broken trailers", body: "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n"),
        BodyExample(
            testDescription: "endless trailers",
            body: "0\r\n" + String(repeating: "A: \(String(repeating: "b", count: 1000))\r\n", count: 200)),
    ])
    func aBrokenBodyEndsTheConnectionAndNeverReachesTheOriginWhole(_ example: BodyExample) throws {
        let whole = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                _ = try connection.readBody(of: request)
                whole.add(1)
                try connection.respond(text: "whole")
            }
        }
        let agent = try BesiegedAgent(origin: origin.url)
        let caller = try HTTPConnection(port: agent.port)
        try? caller.send(Self.post + "Transfer-Encoding: chunked\r\n\r\n" + example.body)
        let answer = try? caller.readResponse()
        #expect(answer == nil || answer?.status == 400 || answer?.status == 431, "\(answer?.text ?? "")")
        #expect(caller.waitForEnd() != .timedOut)
        // A right request, so that the broken one had its time.
        #expect(try agent.request().status == 200)
        #expect(whole.value == 1)
    }

    @Test func requestsBehindABrokenBodyAreNotServed() throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let caller = try HTTPConnection(port: agent.port)
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\r\n"
        try caller.send(Self.post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\(smuggled)")
        let all = try? caller.socket.readToEnd()
        #expect(!String(decoding: all ?? [], as: UTF8.self).contains("smuggled"))
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let caller = try HTTPConnection(port: agent.port)
        let requests = (0..<50).map {
            "GET /\($0) HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\r\n"
        }
        try caller.send(requests.joined())
        for number in 0..<50 { #expect(try caller.readResponse().text.contains("/\(number)")) }
    }

    @Test func connectionsThatAreOpenedAndDroppedLeaveNothing() throws {
        let agent = try BesiegedAgent()
        let bystander = try Bystander(port: agent.port)
        let openBefore = try agent.process.openFileCount()
        for round in 0..<4 {
            var sockets: [StreamSocket] = []
            for number in 0..<250 {
                let socket = try StreamSocket(port: agent.port)
                switch number % 5 {
                case 1: try socket.write("GET / HT")
                case 2: try socket.write(Self.post + "Content-Length: 1000000\r\n\r\nhalf a body")
                case 3: try socket.write(Self.good + "\r\n")
                case 4: try socket.write([0x16, 3, 1])
                default: break
                }
                sockets.append(socket)
            }
            for socket in sockets { if round % 2 == 0 { socket.reset() } else { socket.close() } }
        }
        try agent.waitForOpenFiles(atMost: openBefore + 4)
        try bystander.finish()
        #expect(try agent.process.residentBytes() < 120 << 20)
    }

    @Test func aBodyThatStopsInTheMiddleReachesTheOriginAsACut() throws {
        let heads = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            heads.add(1)
            _ = try connection.readBody(of: request)
            try connection.respond(text: "whole")
        }
        let agent = try BesiegedAgent(origin: origin.url)
        for number in 1...2 {
            let caller = try HTTPConnection(port: agent.port)
            try caller.send(Self.post + "Content-Length: 1000\r\n\r\nhalf a body")
            try heads.wait(for: number, within: .seconds(20), what: "requests")
            if number == 1 { caller.reset() } else { caller.close() }
            try origin.waitForEnds(number)
        }
        #expect(origin.failures.count == 2)
        #expect(agent.process.exit == nil)
    }

    @Test func aCallerThatDoesNotReadCostsNoMemory() throws {
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            guard request.target == "/" else { return try connection.respond(text: "well") }
            try connection.writeHead(200, fields: [("Content-Length", String(1 << 30))])
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            connection.socket.set(limit: .seconds(2))
            for _ in 0..<1024 { try connection.socket.write(piece) }
        }
        let agent = try BesiegedAgent(origin: origin.url)
        let caller = try HTTPConnection(port: agent.port, receiveBuffer: 4096)
        try caller.send("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
        // The origin's writes stall: the script ends by its limit.
        try origin.waitForEnds(1, within: .seconds(50))
        #expect(origin.failures.first as? StreamEnd == .timedOut)
        #expect(try agent.process.peakResidentBytes() < 120 << 20)
        #expect(try agent.request("/after").text == "well")
    }

    /// The server answers these itself, so no origin and no credit hold it back.
    @Test func answersThatACallerDoesNotReadCostNoMemory() throws {
        let agent = try BesiegedAgent()
        let before = try agent.process.residentBytes()
        let caller = try HTTPConnection(port: agent.port, limit: .seconds(2), receiveBuffer: 4096)
        let many = Array(
            String(repeating: "GET /_health_check HTTP/1.1\r\nHost: a\r\n\r\n", count: 2000).utf8)
        let allowed = 24 << 20
        do {
            // Their answers would fill three times what is allowed.
            for _ in 0..<200 {
                try caller.send(many)
                guard try agent.process.residentBytes() < before + allowed else { break }
            }
        } catch is StreamEnd {
            // Not read any more, or cut off: either protects the server.
        }
        #expect(try agent.process.peakResidentBytes() < before + allowed)
        #expect(try agent.request().status == 200)
    }

    /// Interim answers obey no credit.
    @Test func interimAnswersWithoutEndToACallerThatDoesNotReadCostNoMemory() throws {
        let origin = try ScriptedOrigin { connection in
            guard try connection.readRequest() != nil else { return }
            let head = "HTTP/1.1 103 Early Hints\r\nLink: <\(String(repeating: "x", count: 1000))>\r\n\r\n"
            let many = Array(String(repeating: head, count: 1000).utf8)
            for _ in 0..<4 { try connection.socket.write(many) }
            try connection.respond(text: "done")
        }
        let agent = try BesiegedAgent(origin: origin.url)
        let before = try agent.process.residentBytes()
        let caller = try HTTPConnection(port: agent.port, limit: .seconds(60), receiveBuffer: 4096)
        try caller.send("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
        try origin.waitForEnds(1, within: .seconds(60))
        #expect(try agent.process.peakResidentBytes() < before + (30 << 20))
        let answer = try caller.readResponse()
        #expect(answer.status == 200)
        #expect(answer.text == "done")
        // Only as many are kept as a head may be long.
        #expect((1...100).contains(answer.informational.count))
    }
}
