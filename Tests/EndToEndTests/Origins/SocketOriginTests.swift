import Foundation
import TestSupport
import Testing

/// `server: unix:/run/app.sock`.
@Suite(.timeLimit(.minutes(2))) struct SocketOriginTests {
    /// Debian's gunicorn on a Unix socket.
    private final class Gunicorn {
        private let process: ChildProcess

        init(in folder: TemporaryFolder, socket: String) throws {
            try folder.write(
                """
                def app(environ, start_response):
                    body = environ['wsgi.input'].read()
                    words = [environ['HTTP_HOST'], environ['REQUEST_METHOD'], environ['RAW_URI'], str(len(body))]
                    start_response('200 OK', [('Content-Type', 'text/plain')])
                    return [' '.join(words).encode()]

                """, to: "app.py")
            process = try ChildProcess([
                "gunicorn", "--chdir", folder.path, "-b", "unix:\(socket)", "app:app",
            ])
            try process.standardError.waitForLine(containing: "Listening at")
        }
    }

    @Test func gunicornAnswersThroughAName() throws {
        let folder = try TemporaryFolder()
        let app = try Gunicorn(in: folder, socket: folder.path(of: "app.sock"))
        let pair = try TunnelPair(
            to: "unix:\(folder.path(of: "app.sock"))",
            serverOptions: ["hosts: [{ host: app.example.com, token: \(TunnelPair.token) }]"])
        let named = try curl("-H", "Host: app.example.com", pair.url + "/a%20b?c")
        #expect(named.text == "app.example.com GET /a%20b?c 0")
        // By its token it has no name but the socket's.
        #expect(try pair.exchange("GET", "/x").text == "localhost GET /x 0")
        let body = [UInt8](repeating: 7, count: 3 << 20)
        #expect(try pair.exchange("POST", "/up", body: body).text == "localhost POST /up \(body.count)")
        _ = app
    }

    @Test func hostHeaderDecidesWhatTheAppIsCalled() throws {
        let folder = try TemporaryFolder()
        let app = try Gunicorn(in: folder, socket: folder.path(of: "app.sock"))
        for (value, host) in [("internal.example", "internal.example"), ("keep", "caller.test")] {
            let pair = try TunnelPair(
                to: "unix:\(folder.path(of: "app.sock"))", clientOptions: ["host-header: \(value)"])
            #expect(try pair.exchange("GET", "/x").text == "\(host) GET /x 0")
        }
        _ = app
    }

    @Test func aSocketThatIsNotThereYetIsSaidSoAndFoundLater() throws {
        let folder = try TemporaryFolder()
        let socket = folder.path(of: "app.sock")
        let pair = try TunnelPair(to: "unix:\(socket)")
        let missing = try pair.exchange("GET", "/")
        #expect(missing.status == 502)
        #expect(missing.text.contains("there is no unix:\(socket)"), "\(missing.text)")
        try pair.client.waitForLog("Origin failed", ["error.code": "refused"])
        let app = try Gunicorn(in: folder, socket: socket)
        #expect(try pair.exchange("GET", "/").status == 200)
        _ = app
    }

    @Test func aSocketWhoseAppIsGoneIsSaidSo() throws {
        let folder = try TemporaryFolder()
        let socket = folder.path(of: "app.sock")
        let abandoned = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(withLocalAddress(socket) { bind(abandoned, $0, $1) } == 0)
        close(abandoned)
        let pair = try TunnelPair(to: "unix:\(socket)")
        let answer = try pair.exchange("GET", "/")
        #expect(answer.status == 502)
        #expect(answer.text.contains("refuses connections; is the server running"), "\(answer.text)")
    }

    /// The path starts where its file does, and not where the agent was started.
    @Test func aRelativePathIsThatOfTheFile() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: "unix:app.sock", options: ["connections: 1"]))
        try server.waitForSessions(1)
        let app = try Gunicorn(in: client.folder, socket: client.folder.path(of: "app.sock"))
        let answer = try HTTPConnection(port: port).exchange(
            "GET", "/", fields: [("X-Token", TunnelPair.token)])
        #expect(answer.text == "localhost GET / 0")
        _ = app
    }

    @Test func http2GoesOverASocketToo() throws {
        let folder = try TemporaryFolder()
        let socket = folder.path(of: "app.sock")
        let origin = try NginxFront { _ in
            """
            server {
                listen unix:\(socket) http2;
                location / { return 200 "$server_protocol $http_host\\n"; }
            }
            """
        }
        let pair = try TunnelPair(to: "unix:\(socket)", clientOptions: ["http: 2"])
        #expect(try pair.exchange("GET", "/").text == "HTTP/2.0 localhost\n")
        _ = origin
    }
}
