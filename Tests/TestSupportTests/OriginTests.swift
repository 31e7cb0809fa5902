import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ScriptedOriginTests {
    @Test func bodiesAreEchoedAsTheyWereFramed() throws {
        let origin = try ScriptedOrigin.echo()
        let caller = try HTTPConnection(port: origin.port)
        let body = Array("some body".utf8)
        let whole = try caller.exchange("POST", "/a?b", fields: [("X-A", "b")], body: body)
        #expect(whole.body == body)
        #expect(whole.head["x-echo-target"] == "/a?b")
        #expect(whole.head["content-length"] == "9")

        try caller.send("PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        try caller.send("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: end\r\n\r\n")
        let chunked = try caller.readResponse()
        #expect(chunked.informational.map(\.status) == [100])
        #expect(chunked.text == "abcde")
        #expect(chunked.trailers.map(\.name) == ["X-Trailer"])
        #expect(origin.connectionCount == 1)
    }

    @Test func aPeerThatResetsIsSeen() throws {
        let seen = Gate()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            #expect(connection.waitForEnd() == .reset)
            seen.open()
        }
        let caller = try HTTPConnection(port: origin.port)
        try caller.send("GET", "/")
        try origin.waitForConnections(1)
        caller.reset()
        try seen.wait()
        try origin.waitForEnds(1)
    }

    @Test func aBodyThatIsCutIsNotTakenForWhole() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
        }
        let caller = try HTTPConnection(port: origin.port)
        #expect(throws: StreamEnd.closed) { try caller.exchange("GET", "/") }
    }

    @Test func eventsArriveWhenTheyAreSent() throws {
        let next = Gate()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.startEventStream()
            try connection.sendEvent("one")
            try next.wait()
            try connection.sendEvent("two")
            try connection.socket.writeLastChunk()
        }
        let caller = try HTTPConnection(port: origin.port)
        try caller.send("GET", "/events")
        #expect(try caller.readHead().status == 200)
        #expect(try caller.socket.readChunk() == Array("data: one\n\n".utf8))
        next.open()
        #expect(try caller.socket.readChunk() == Array("data: two\n\n".utf8))
        #expect(try caller.socket.readChunk() == nil)
    }

    @Test(arguments: [0, 1, 125, 126, 65_535, 65_536, 1 << 20])
    func webSocketMessagesOfEverySizeComeBack(size: Int) throws {
        let origin = try ScriptedOrigin.echo()
        let caller = try WebSocketConnection(port: origin.port)
        let payload = Array(repeating: UInt8(truncatingIfNeeded: size &+ 7), count: size)
        try caller.send(.binary(payload))
        #expect(try caller.receive() == .binary(payload))
        try caller.send(payload, inFragmentsOf: max(1, size / 3))
        #expect(try caller.receive() == .binary(payload))
        try caller.send(.ping([1, 2]))
        #expect(try caller.receive() == .pong([1, 2]))
        try caller.send(.text("grün"))
        #expect(try caller.receive() == .text("grün"))
        try caller.send(.close(code: 1000, reason: "done"))
        #expect(try caller.receive() == .close(code: 1000, reason: "done"))
    }

    @Test func closingAnOriginCutsItsConnectionsAndFreesItsPort() throws {
        let origin = try ScriptedOrigin { _ = $0.waitForEnd(within: .seconds(60)) }
        let caller = try HTTPConnection(port: origin.port)
        try origin.waitForConnections(1)
        origin.close()
        #expect(caller.waitForEnd() == .closed)
        try origin.waitForEnds(1)
        #expect(throws: TestFailure.self) { try HTTPConnection(port: origin.port) }
        let again = try ScriptedOrigin.echo(port: origin.port)
        #expect(try HTTPConnection(port: again.port).exchange("GET", "/").status == 200)
    }

    @Test func blockingWorkLeavesTheTasksTheirThreads() async throws {
        let gate = Gate()
        async let waited: Void = onThread { try gate.wait() }
        gate.open()
        try await waited
    }
}

@Suite(.timeLimit(.minutes(1))) struct NginxOriginTests {
    @Test func everyPathAnswersAsDocumented() throws {
        let origin = try NginxOrigin(largeMebibytes: 1)
        let page = try curl("-i", origin.url + "/index.html")
        #expect(page.exitCode == 0)
        #expect(page.status == 200)
        let tag = try #require(page.text.firstMatch(of: /ETag: (\S+)/)?.1)
        #expect(try curl("-H", "If-None-Match: \(tag)", origin.url + "/index.html").status == 304)
        #expect(try curl(origin.url + "/no-content").status == 204)
        #expect(try curl(origin.url + "/redirect").status == 302)
        #expect(try curl("-i", origin.url + "/repeated").text.matches(of: /Set-Cookie|X-Repeated/).count == 4)
        let chunked = try curl("-i", origin.url + "/chunked/index.html").text
        #expect(chunked.contains("Transfer-Encoding: chunked"))
        #expect(chunked.hasSuffix("Hello from nginx\n"))
        let large = try curl("-o", "/dev/null", origin.url + "/large.bin")
        #expect(large.values["size_download"] == String(1 << 20))

        let upload = origin.url + "/upload/copy.bin"
        #expect(try curl("-T", origin.root + "/large.bin", upload).status == 201)
        #expect(
            try sha256(ofFile: origin.root + "/upload/copy.bin") == sha256(ofFile: origin.root + "/large.bin")
        )
        let echo = try curl("--data-binary", "to be echoed", origin.url + "/echo")
        #expect(origin.hasEcho ? echo.text == "to be echoed" : echo.status == 404)
        #expect(try origin.requests().contains { $0.hasPrefix("PUT /upload/copy.bin 201") })
        origin.kill()
        #expect(try curl(origin.url).exitCode == 7)
    }
}
