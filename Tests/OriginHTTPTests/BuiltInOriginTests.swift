import Foundation
import HTTPMessage
import NIOCore
import OriginHTTP
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct EchoOriginTests {
    @Test func requestsWithoutBodyAreDescribedWithoutSecrets() throws {
        var fields = HeaderFields([.host: "a", .authorization: "Basic c2VjcmV0"])
        fields.append(named: "cookie", "secret")
        let state = try RecordedExchange.get(EchoOrigin(), "/x?y", fields: fields)
        #expect(state.status == 200)
        #expect(state.text == "GET /x?y\nHost: a\nAuthorization: (hidden)\ncookie: (hidden)\n")
        #expect(state.framings == [.length(state.body.count)])
        #expect(!state.calledTooEarly && !state.calledAfterEnd)
    }

    @Test func headHasNoBody() throws {
        let state = try RecordedExchange.get(EchoOrigin(), method: "HEAD")
        #expect(state.isEnded && state.body.isEmpty)
        #expect(state.heads.first?.fields[.contentLength] != nil)
    }

    @Test(arguments: [HTTPMessage.BodyFraming.length(10), .chunked])
    func bodiesComeBackAsTheyGo(framing: HTTPMessage.BodyFraming) throws {
        let head = RequestHead(
            method: "POST", target: "/", fields: HeaderFields([.contentType: "a/b", .expect: "100-continue"]))
        let exchange = try RecordedExchange(EchoOrigin(), head, framing: framing)
        try exchange.send("hello")
        let begun = try exchange.wait("the first half") { $0.text == "hello" }
        #expect(begun.heads.map(\.status) == [100, 200])
        #expect(begun.framings == [.none, framing])
        #expect(begun.heads.last?.fields[.contentType] == "a/b")
        try exchange.send("world")
        try exchange.end(trailers: framing == .chunked ? HeaderFields([.date: "x"]) : nil)
        let state = try exchange.waitForEnd()
        #expect(state.text == "helloworld")
        #expect(state.trailers?[.date] == (framing == .chunked ? "x" : nil))
    }

    @Test func aPausedReaderStopsTheSender() throws {
        let head = RequestHead(method: "POST", target: "/")
        let exchange = try RecordedExchange(EchoOrigin(), head, framing: .chunked, isPaused: true)
        var sent = 0
        while try exchange.isWritable(), sent < 64 << 20 {
            try exchange.send([UInt8](repeating: 1, count: 64 << 10))
            sent += 64 << 10
        }
        #expect(sent <= 1 << 20)
        #expect(exchange.now.heads.isEmpty)
        try exchange.resume()
        try exchange.wait("room") { $0.writableCalls == 1 && $0.body.count == sent }
        try exchange.end()
        #expect(try exchange.waitForEnd().isEnded)
    }

    @Test func upgradesAreRefused() throws {
        let fields = HeaderFields([.connection: "Upgrade", .upgrade: "websocket"])
        #expect(try RecordedExchange.get(EchoOrigin(), fields: fields).status == 426)
    }

    @Test(arguments: ["toolong", "no"]) func wrongLengthsFail(text: String) throws {
        let exchange = try RecordedExchange(
            EchoOrigin(), RequestHead(method: "POST", target: "/"), framing: .length(3))
        try exchange.send(text)
        try exchange.end()
        #expect(try exchange.waitForEnd().error?.code == .badRequest)
    }

    @Test func nothingComesAfterCancelling() throws {
        let exchange = try RecordedExchange(
            EchoOrigin(), RequestHead(method: "POST", target: "/"), framing: .chunked)
        try exchange.wait("the head") { $0.status == 200 }
        try exchange.cancel()
        try exchange.send("x")
        try exchange.end()
        try exchange.onLoop {}
        #expect(exchange.now.body.isEmpty && !exchange.now.isOver)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct FileOriginTests {
    /// `site` is served; `secret.txt` lies beside it.
    private let folder: TemporaryFolder
    private let origin: FileOrigin

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        origin = FileOrigin(folder: folder.path(of: "site"))
        try folder.write("secret", to: "secret.txt")
        try folder.write("secret", to: "site-other/secret.txt")
        try folder.write("<p>home", to: "site/index.html")
        try folder.write("hello world", to: "site/a.txt")
        try folder.write("docs", to: "site/docs/index.html")
        try folder.write("x", to: "site/empty/x.txt")
        try folder.write("spaced", to: "site/a b+c.txt")
        try folder.write("hidden", to: "site/.env")
        try folder.write([UInt8](), to: "site/none.bin")
        let files = FileManager.default
        func link(_ name: String, to target: String) throws {
            try files.createSymbolicLink(atPath: folder.path(of: "site/\(name)"), withDestinationPath: target)
        }
        try link("inside", to: "a.txt")
        try link("inside-folder", to: "docs")
        try link("outside", to: "../secret.txt")
        try link("outside-absolute", to: folder.path(of: "secret.txt"))
        try link("outside-folder", to: "..")
        try link("sibling", to: "../site-other/secret.txt")
        try link("device", to: "/dev/zero")
        try folder.write("hidden", to: "site/.git/config")
        try folder.write("known", to: "site/.well-known/x")
        try link("visible", to: ".env")
        try link("repository", to: ".git")
        try link("known", to: ".well-known/x")
        try link("loop", to: "loop")
        mkfifo(folder.path(of: "site/fifo"), 0o600)
    }

    private func get(
        _ target: String, method: String = "GET", _ fields: [String: String] = [:]
    ) throws -> RecordedExchange.State {
        var all = HeaderFields()
        for (name, value) in fields { all.append(named: name, value) }
        let state = try RecordedExchange.get(origin, target, method: method, fields: all)
        #expect(!state.calledTooEarly && !state.calledAfterEnd)
        return state
    }

    @Test(arguments: [
        ("/", "<p>home", "text/html; charset=utf-8"), ("/index.html", "<p>home", "text/html; charset=utf-8"),
        ("/a.txt?x=/../y", "hello world", "text/plain; charset=utf-8"),
        ("/docs/", "docs", "text/html; charset=utf-8"),
        ("/a%20b+c.txt", "spaced", "text/plain; charset=utf-8"),
        ("//./docs//index.html", "docs", "text/html; charset=utf-8"),
        ("/inside", "hello world", "application/octet-stream"),
        ("/known", "known", "application/octet-stream"),
        ("/inside-folder/", "docs", "text/html; charset=utf-8"),
        ("/none.bin", "", "application/octet-stream"),
    ])
    func filesAreServed(target: String, text: String, type: String) throws {
        let state = try get(target)
        #expect(state.status == 200)
        #expect(state.text == text)
        #expect(state.heads.first?.fields[.contentType] == type)
        #expect(state.heads.first?.fields[.contentLength] == String(text.utf8.count))
        let head = try get(target, method: "HEAD")
        #expect(head.heads == state.heads)
        #expect(head.body.isEmpty && head.isEnded)
    }

    @Test(arguments: [
        "/missing", "/docs/missing", "/empty/", "/a.txt/", "/a.txt/x", "/../secret.txt", "/%2e%2e/secret.txt",
        "/docs/../../secret.txt", "/..%2fsecret.txt", "/docs/%2e%2e/%2e%2e/secret.txt", "/..\\secret.txt",
        "/%5c..%5csecret.txt",
        "/%252e%252e/secret.txt", "/outside", "/outside-absolute", "/outside-folder/", "/outside-folder",
        "/outside-folder/secret.txt", "/outside-folder/site/a.txt/..", "/sibling", "/device", "/fifo",
        "/loop", "/.env", "/visible", "/repository/config", "/.git/config",
        "/proc/self/environ", "//etc/passwd", "/\(String(repeating: "a", count: 5000))",
    ])
    func nothingElseIsServed(target: String) throws {
        let state = try get(target)
        #expect(state.status == 404)
        #expect(state.text == "Not Found\n")
    }

    @Test(arguments: ["/%00", "/a.txt%00.html", "/%zz", "/%ff", "*"]) func malformedTargetsAreRefused(
        target: String
    ) throws {
        #expect(try get(target).status == 400)
    }

    @Test func foldersWithoutSlashAreRedirected() throws {
        let state = try get("/docs?a=b")
        #expect(state.status == 301)
        #expect(state.heads.first?.fields.first(named: "Location") == "./docs/?a=b")
        #expect(try get("/inside-folder").status == 301)
    }

    @Test func otherMethodsAreNotAllowed() throws {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            let state = try get("/a.txt", method: method)
            #expect(state.status == 405)
            #expect(state.heads.first?.fields.first(named: "Allow") == "GET, HEAD")
        }
    }

    @Test func rangesAndConditionsAreHonoured() throws {
        let part = try get("/a.txt", ["Range": "bytes=6-8"])
        #expect(part.status == 206)
        #expect(part.text == "wor")
        #expect(try get("/a.txt", ["Range": "bytes=11-"]).status == 416)
        let tag = try #require(part.heads.first?.fields.first(named: "ETag"))
        let unchanged = try get("/a.txt", ["If-None-Match": tag])
        #expect(unchanged.status == 304)
        #expect(unchanged.framings == [.none])
        try folder.write("other words", to: "site/a.txt")
        #expect(try get("/a.txt", ["If-None-Match": tag]).text == "other words")
    }

    @Test func largeFilesComeWholeAndOnlyAsFastAsTheyAreRead() throws {
        let path = try folder.writeRandom(mebibytes: 5, to: "site/large.bin")
        let exchange = try RecordedExchange(
            origin, RequestHead(method: "GET", target: "/large.bin"), pausesAtFirstByte: true)
        let paused = try exchange.wait("the first bytes") { !$0.body.isEmpty }
        #expect(paused.body.count <= 16 << 10)
        for _ in 0..<100 { try exchange.onLoop {} }
        #expect(exchange.now.body.count == paused.body.count)
        try exchange.resume()
        let state = try exchange.waitForEnd()
        #expect(state.isEnded)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(state.body))
    }

    @Test func aFileThatShrinksIsNeverWhole() throws {
        let path = try folder.writeRandom(mebibytes: 5, to: "site/large.bin")
        let exchange = try RecordedExchange(
            origin, RequestHead(method: "GET", target: "/large.bin"), pausesAtFirstByte: true)
        try exchange.wait("the first bytes") { !$0.body.isEmpty }
        truncate(path, 1 << 20)
        try exchange.resume()
        let state = try exchange.waitForEnd()
        #expect(!state.isEnded)
        #expect(state.error?.code == .unreadable)
        #expect(!state.heads.isEmpty)
    }

    @Test func descriptorsAreClosedHoweverTheExchangeEnds() throws {
        try folder.writeRandom(mebibytes: 2, to: "site/large.bin")
        func descriptors() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
                let target = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/fd/\(name)")
                return target?.hasPrefix(folder.path) == true
            }
        }
        for number in 0..<20 {
            let exchange = try RecordedExchange(
                origin, RequestHead(method: "GET", target: "/large.bin"), pausesAtFirstByte: true)
            if number % 2 == 0 { try exchange.wait("the first bytes") { !$0.body.isEmpty } }
            try exchange.cancel()
        }
        for target in ["/", "/missing", "/outside", "/docs", "/fifo"] { _ = try get(target) }
        _ = try get("/large.bin", ["If-None-Match": "*"])
        #expect(try get("/large.bin").isEnded)
        // Reads that were under way hold their file a moment longer.
        for _ in 0..<1000 where try descriptors() > 0 { _ = try get("/missing") }
        #expect(try descriptors() == 0)
    }

    @Test(arguments: [
        ("/.env", 200), ("/visible", 200), ("/repository/config", 200), ("/.git/config", 200), ("/.git", 301),
        ("/a.txt", 200), ("/outside", 404), ("/../secret.txt", 404), ("/.git/../../secret.txt", 404),
    ])
    func hiddenFilesAreServedWhereThatWasAskedFor(target: String, status: Int) throws {
        let asked = FileOrigin(folder: folder.path(of: "site"), servesHidden: true)
        #expect(try RecordedExchange.get(asked, target).status == status)
    }

    @Test func aMissingFolderIsNotFound() throws {
        let origin = FileOrigin(folder: folder.path(of: "nowhere"))
        #expect(try RecordedExchange.get(origin, "/").status == 404)
    }
}
