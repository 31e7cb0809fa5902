import Foundation
import TestSupport
import Testing

/// What curl and nginx say to each other through a tunnel, as they would without one.
@Suite struct OrdinaryRequestTests {
    let origin: NginxOrigin
    let tunnel: TunnelPair

    init() throws {
        origin = try NginxOrigin()
        tunnel = try TunnelPair(to: origin.url)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [1, nil] as [Int?])
    func aFileIsServedByAnyNumberOfConnections(connections: Int?) throws {
        let tunnel = try TunnelPair(to: origin.url, connections: connections)
        for _ in 0..<5 {
            let answer = try tunnel.curl("/index.html")
            #expect(answer.status == 200)
            #expect(answer.text == "Hello from nginx\n")
        }
    }

    @Test(.timeLimit(.minutes(1))) func headHasTheFieldsAndNoBody() throws {
        let connection = try tunnel.connect()
        let token = [("X-Token", TunnelPair.token)]
        let answer = try connection.exchange("HEAD", "/index.html", fields: token)
        #expect(answer.status == 200)
        #expect(answer.head["Content-Length"] == "17")
        // A body that should not be there would be read as this one's head.
        #expect(try connection.exchange("GET", "/index.html", fields: token).text == "Hello from nginx\n")
        #expect(try tunnel.curl("/index.html", "--head").values["http_code"] == "200")
    }

    @Test(.timeLimit(.minutes(1)), .enabled(if: NginxOrigin.hasEchoModule))
    func aPostedBodyArrivesAndComesBack() throws {
        let form = try tunnel.curl("/echo", "--data", "a=1&b=2")
        #expect(form.status == 200)
        #expect(form.text == "a=1&b=2")
        let empty = try tunnel.curl("/echo", "--data", "")
        #expect(empty.status == 200)
        #expect(empty.text == "")
    }

    @Test(.timeLimit(.minutes(1)), arguments: [[], ["-H", "Transfer-Encoding: chunked"]])
    func aFileIsPutAndFetchedBack(options: [String]) throws {
        let folder = try TemporaryFolder()
        let file = try folder.writeRandom(mebibytes: 3, to: "file.bin", seed: 7)
        let url = tunnel.url + "/upload/file.bin"
        let upload = options + ["-T", file, "-H", "X-Token: \(TunnelPair.token)", url]
        #expect(try curl(upload).status == 201)
        #expect(try curl(upload).status == 204)
        let copy = folder.path(of: "copy.bin")
        #expect(try tunnel.curl("/upload/file.bin", "-o", copy).status == 200)
        #expect(try sha256(ofFile: copy) == sha256(ofFile: file))
        #expect(try tunnel.curl("/upload/file.bin", "-X", "DELETE").status == 204)
        #expect(try tunnel.curl("/upload/file.bin").status == 404)
    }

    @Test(.timeLimit(.minutes(1))) func answersWithoutBodyLeaveTheConnectionUsable() throws {
        let connection = try tunnel.connect()
        let token = [("X-Token", TunnelPair.token)]
        let tag = try #require(try connection.exchange("GET", "/index.html", fields: token).head["ETag"])
        let noContent = try connection.exchange("GET", "/no-content", fields: token)
        #expect(noContent.status == 204)
        #expect(noContent.head["Content-Length"] == nil)
        #expect(noContent.head["Transfer-Encoding"] == nil)
        let fresh = try connection.exchange("GET", "/index.html", fields: token + [("If-None-Match", tag)])
        #expect(fresh.status == 304)
        #expect(fresh.head["ETag"] == tag)
        #expect(try connection.exchange("GET", "/index.html", fields: token).text == "Hello from nginx\n")
    }

    @Test(.timeLimit(.minutes(1))) func aRangeIsARange() throws {
        let answer = try tunnel.curl("/index.html", "-r", "6-9")
        #expect(answer.status == 206)
        #expect(answer.text == "from")
    }

    @Test(.timeLimit(.minutes(1))) func repeatedFieldsStayApartAndInOrder() throws {
        let answer = try tunnel.exchange("GET", "/repeated")
        #expect(answer.head.values("Set-Cookie") == ["a=1", "b=2"])
        #expect(answer.head.values("X-Repeated") == ["one", "two"])
    }

    @Test(.timeLimit(.minutes(1))) func redirectsAreHandedBack() throws {
        let answer = try tunnel.curl("/redirect")
        #expect(answer.status == 302)
        #expect(answer.values["num_redirects"] == "0")
        #expect(try origin.requests().contains { $0.hasPrefix("GET /redirect 302") })
        #expect(try !origin.requests().contains { $0.contains("/moved") })
    }

    @Test(.timeLimit(.minutes(1))) func aChunkedAnswerComesWhole() throws {
        let answer = try tunnel.exchange("GET", "/chunked/index.html")
        #expect(answer.head.has("Transfer-Encoding", "chunked"))
        #expect(answer.text == "Hello from nginx\n")
    }

    @Test(.timeLimit(.minutes(1))) func theOriginSeesItsOwnHost() throws {
        _ = try tunnel.curl("/index.html", "-H", "Host: public.example.com")
        #expect(try origin.requests() == ["GET /index.html 200 127.0.0.1:\(origin.port)"])
    }

    @Test(.timeLimit(.minutes(1))) func anOriginThatIsDownIsABadGateway() throws {
        origin.kill()
        let answer = try tunnel.exchange("GET", "/")
        #expect(answer.status == 502)
        #expect(answer.head["Content-Type"]?.hasPrefix("text/plain") == true)
        #expect(answer.text.contains("127.0.0.1:\(origin.port) refuses connections"))
    }
}

extension NginxOrigin {
    /// Whether Debian's echo module is installed here.
    static var hasEchoModule: Bool {
        FileManager.default.fileExists(atPath: "/usr/lib/nginx/modules/ngx_http_echo_module.so")
    }
}
