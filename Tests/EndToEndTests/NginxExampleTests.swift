import Foundation
import TestSupport
import Testing

/// `examples/nginx`, with other ports and another certificate: nginx ends TLS before the tunnel server.
@Suite(.timeLimit(.minutes(1))) struct NginxExampleTests {
    private static let token = "nginx-example-token-1"

    private let certificate: Certificate
    private let origin: ScriptedOrigin
    private let server: AgentProcess
    private let client: AgentProcess
    private let nginx: NginxFront
    private let seen = WaitableCounter()
    private var url: String { "https://127.0.0.1:\(nginx.port)" }

    init() throws {
        let seen = seen
        let certificate = try Certificate()
        self.certificate = certificate
        origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                if request.has("Upgrade", "websocket") {
                    try connection.acceptWebSocket(request)
                    return try connection.echoWebSocket()
                }
                if request.target == "/fields" {
                    let lines = request.fields.map { "\($0.name.lowercased()): \($0.value)" }
                    try connection.respond(text: lines.joined(separator: "\n") + "\n")
                } else if request.target == "/events" {
                    try connection.startEventStream()
                    for number in 0..<3 {
                        try seen.wait(for: number, within: .seconds(20), what: "events at the caller")
                        try connection.sendEvent("\(number)")
                    }
                    try connection.socket.writeLastChunk()
                } else {
                    // Whole first: nginx does not pass on an answer while the request still comes.
                    try connection.respond(body: try connection.readBody(of: request))
                }
            }
        }
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../examples/nginx").standardizedFileURL.path
        let yaml = try String(contentsOfFile: folder + "/tunnels.yaml", encoding: .utf8)
        server = try AgentProcess(
            configuration: yaml.replacing("port: 8080", with: "port: 0"),
            files: ["web.password": "nginx-password\n"], environment: ["WEB_TOKEN": Self.token])
        let port = try server.port(ofServer: "public")
        let conf = try String(contentsOfFile: folder + "/wstunnel.conf", encoding: .utf8)
        nginx = try NginxFront { front in
            conf.replacing("listen [::]:443 ssl;", with: "")
                .replacing("listen 443 ssl;", with: "listen 127.0.0.1:\(front) ssl;")
                .replacing("server 127.0.0.1:8080;", with: "server 127.0.0.1:\(port);")
                .replacing("/etc/ssl/wstun.example.com/fullchain.pem", with: certificate.path)
                .replacing("/etc/ssl/wstun.example.com/privkey.pem", with: certificate.keyPath)
        }
        client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(nginx.port)", to: origin.url, token: Self.token,
                options: [
                    "certfile: \(certificate.path)", "password: nginx-password", "timeout: 3s",
                    "connections: 2", "statusfile: status",
                ]))
        try server.waitForSessions(2)
    }

    private func curl(_ path: String, _ arguments: String...) throws -> CurlResult {
        try TestSupport.curl(
            ["--cacert", certificate.path, "-H", "X-Token: \(Self.token)"] + arguments + [url + path],
            within: .seconds(50))
    }

    @Test func whoCalledAndHowReachesTheOrigin() throws {
        let answer = try curl("/fields", "-H", "X-Forwarded-For: 192.0.2.9")
        let lines = answer.text.split(separator: "\n")
        for line in [
            "x-forwarded-for: 192.0.2.9, 127.0.0.1, 127.0.0.1", "x-forwarded-proto: https",
            "x-forwarded-host: 127.0.0.1:\(nginx.port)",
        ] {
            #expect(lines.contains { $0 == line }, "\(line) is not in \(lines)")
        }
        #expect(!answer.text.contains(Self.token))
        let logged = try server.waitForLog("Request", ["path": "/fields"])
        #expect(logged["caller.address"] == "192.0.2.9", "127.0.0.1 is nginx, and then a trusted proxy")
    }

    @Test func bodiesStreamBothWays() throws {
        let folder = try TemporaryFolder()
        let body = SplitMix64(seed: 31).sequence(8 << 20)
        let path = try folder.write(body, to: "body")
        let sent = try curl("/back", "--data-binary", "@\(path)", "-o", folder.path(of: "answer"))
        #expect(sent.exitCode == 0, "\(sent.standardError)")
        #expect(try sha256(ofFile: folder.path(of: "answer")) == sha256(ofFile: path))
    }

    @Test func eventsComeOneByOne() throws {
        let process = try ChildProcess([
            "curl", "-sN", "--cacert", certificate.path, "-H", "X-Token: \(Self.token)", url + "/events",
        ])
        for number in 0..<3 {
            try process.standardOutput.waitForLine(containing: "data: \(number)")
            seen.add(1)
        }
        #expect(try process.waitForExit() == .code(0))
    }

    /// Sockets on which nothing but pings goes: longer than any timeout of the tunnel's.
    @Test func idleTunnelsStayUp() throws {
        let status = client.folder.path(of: "status")
        let began = Date.now
        var latest = 0
        while Double(latest) < began.timeIntervalSince1970 + 8 {
            guard Date.now < began + 40 else {
                throw TestFailure("the status file stands still at \(latest)")
            }
            let lines = (try? String(contentsOfFile: status, encoding: .utf8)) ?? ""
            latest = lines.split(separator: "\n").first.flatMap { Int($0.dropFirst(6)) } ?? 0
            Thread.sleep(forTimeInterval: 0.1)
        }
        #expect(try curl("/back", "-d", "still there").text == "still there")
        #expect(!server.log.contains { $0.contains("Session left") })
    }
}
