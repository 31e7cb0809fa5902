import HTTPMessage
import NIOCore
import NIOPosix
import OriginHTTP
import TestSupport
import Testing

/// Origins that do wrong, requests that cannot be sent, and connections that do not come about.
@Suite(.timeLimit(.minutes(1)))
struct OriginFaultTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    private func head(_ method: String, _ target: String = "/", _ fields: HeaderFields = HeaderFields())
        -> RequestHead
    {
        RequestHead(method: method, target: target, fields: fields)
    }

    private func contract(_ state: RecordedExchange.State, at location: SourceLocation = #_sourceLocation) {
        #expect(!state.calledTooEarly, sourceLocation: location)
        #expect(!state.calledAfterEnd, sourceLocation: location)
    }

    // MARK: Origins that do wrong

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ])
    func shortBodiesAreNeverWhole(wire: String) throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.socket.write(wire)
        }
        let state = try RecordedExchange.get(try server.origin(), on: loop)
        contract(state)
        #expect(state.text == "hello")
        #expect(!state.isEnded)
        #expect(state.error?.code == .closedEarly)
        #expect(!state.heads.isEmpty)
    }

    @Test func closeDelimitedBodiesEndOnlyInOrder() throws {
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.writeHead(200)
            try connection.socket.write("hello")
            if request.target == "/reset" {
                _ = try connection.socket.read(1)
                connection.socket.reset()
            }
        }
        let origin = try server.origin()
        let whole = try RecordedExchange.get(origin, "/", on: loop)
        #expect(whole.isEnded && whole.text == "hello")
        let exchange = try RecordedExchange(origin, head("POST", "/reset"), framing: .length(2), on: loop)
        try exchange.wait("the body") { $0.text == "hello" }
        try exchange.send("x")
        let cut = try exchange.waitForEnd()
        #expect(!cut.isEnded)
        #expect(cut.error?.code == .closedEarly)
    }

    /// `http://` before the port of something else. Both wait for what they understand, and close.
    @Test(arguments: [
        ("\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{16}", "speaks TLS, not plain HTTP — write https:// before it"),
        ("\u{15}\u{3}\u{3}\0\u{2}\u{2}\n", "speaks TLS, not plain HTTP — write https:// before it"),
        (
            "SSH-2.0-OpenSSH_9.2\r\nInvalid SSH identification string.\r\n",
            "is an SSH server — name the port of a web server"
        ),
    ])
    func whatAnswersInItsPlaceIsNamed(wire: String, words: String) throws {
        for closes in [true, false] {
            let server = try ScriptedOrigin { connection in
                _ = try connection.readRequest()
                try connection.socket.write(wire + (closes ? "" : "\n\n"))
                if !closes { _ = connection.waitForEnd() }
            }
            let state = try RecordedExchange.get(try server.origin(), on: loop)
            contract(state)
            #expect(state.error?.code == .malformed)
            #expect(state.error?.message == "127.0.0.1:\(server.port) \(words)")
        }
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n", "\u{15}\u{3}\u{1}\0\u{2}\n\n", "HTTP/1.1 200 OK\r\nA b\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 101 Up\r\n\r\n",
    ])
    func whatIsNoResponseIsMalformed(wire: String) throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.socket.write(wire)
            _ = connection.waitForEnd()
        }
        let state = try RecordedExchange.get(try server.origin(), on: loop)
        contract(state)
        #expect(state.error?.code == .malformed)
        #expect(state.error?.message.contains("127.0.0.1:\(server.port)") == true)
    }

    @Test func bytesThatNobodyAskedForCloseTheConnection() throws {
        let server = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try connection.socket.write(
                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\n\r\n")
                _ = connection.waitForEnd()
            }
        }
        let origin = try server.origin()
        for _ in 0..<2 { #expect(try RecordedExchange.get(origin, on: loop).text == "1") }
        #expect(server.connectionCount == 2)
    }

    @Test func anAnswerBeforeTheBodysEndIsHandedOverAndTheConnectionClosed() throws {
        let ended = Gate()
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.respond(413, text: "no")
            _ = connection.waitForEnd()
            ended.open()
        }
        let exchange = try RecordedExchange(try server.origin(), head("POST"), framing: .chunked, on: loop)
        try exchange.send("x")
        let state = try exchange.waitForEnd()
        #expect(state.status == 413 && state.isEnded)
        try exchange.send("y")
        try exchange.end()
        try ended.wait()
        contract(exchange.now)
    }

    @Test func aBodyThatDiffersFromItsLengthIsNotSent() throws {
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            _ = try connection.readBody(of: request)
            #expect(try connection.socket.readToEnd().isEmpty)
        }
        let origin = try server.origin()
        for text in ["hello!", "hell"] {
            let exchange = try RecordedExchange(origin, head("POST"), framing: .length(5), on: loop)
            try exchange.send(text)
            try exchange.end()
            let state = try exchange.waitForEnd()
            contract(state)
            #expect(state.error?.code == .badRequest)
        }
    }

    // MARK: No connection

    @Test func refusedConnectionsAreToldApart() throws {
        let port = try freePort()
        for url in ["http://127.0.0.1:\(port)", "http://localhost:\(port)"] {
            let state = try RecordedExchange.get(HTTPOrigin(try OriginAddress(url)), on: loop)
            contract(state)
            #expect(state.error?.code == .refused)
            #expect(state.error?.message.contains(":\(port)") == true)
        }
    }

    @Test func namesWithoutAddressAreUnresolvable() throws {
        let origin = HTTPOrigin(try OriginAddress("http://nowhere.invalid"))
        let state = try RecordedExchange.get(origin, on: loop)
        #expect(state.error?.code == .unresolvable)
        #expect(state.error?.message.contains("nowhere.invalid") == true)
    }

    @Test func namesAreLookedUp() throws {
        let server = try ScriptedOrigin.echo()
        let origin = HTTPOrigin(try OriginAddress("http://localhost:\(server.port)"))
        #expect(try RecordedExchange.get(origin, on: loop).status == 200)
    }

    @Test func connectIsNotSupported() throws {
        let state = try RecordedExchange.get(
            HTTPOrigin(try OriginAddress("http://127.0.0.1:1")), "a:1", method: "CONNECT", on: loop)
        contract(state)
        #expect(state.error?.code == .badRequest)
    }
}
