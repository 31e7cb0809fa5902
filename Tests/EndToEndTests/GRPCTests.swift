import TestSupport
import Testing

/// What callers get that speak gRPC, where an answer is ours or breaks off.
@Suite struct GRPCTests {
    private static let request = [
        "-X", "POST", "-H", "Content-Type: application/grpc+proto", "-H", "TE: trailers", "--data-binary",
        "message",
    ]

    /// The head of the answer, and its trailers.
    private static func ask(_ tunnel: TunnelPair, _ version: String, _ more: String...) throws -> String {
        let result = try curl(
            [version, "-i"] + request + more + ["-H", "X-Token: \(TunnelPair.token)", "\(tunnel.url)/s/m"])
        #expect(result.status == 200)
        return result.text.lowercased().replacing("\r\n", with: "\n")
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["--http2-prior-knowledge", "--http1.1"])
    func anOriginThatIsAwayIsUnavailable(version: String) throws {
        let tunnel = try TunnelPair(to: "http://127.0.0.1:\(try freePort())")
        let answer = try Self.ask(tunnel, version)
        #expect(answer.contains("\ngrpc-status: 14\n"))
        #expect(answer.contains("\ngrpc-message: 127.0.0.1:"), "\(answer)")
        #expect(answer.contains("\ncontent-type: application/grpc+proto\n"))
    }

    @Test(.timeLimit(.minutes(1))) func soIsATunnelThatIsNotThere() throws {
        let server = try AgentProcess(configuration: Configuration.server(["queue-timeout: 0s"]))
        let url = "http://127.0.0.1:\(try server.port(ofServer: "public"))/"
        // Right after the start a tunnel may be on its way, and the request waits for it.
        let result = try curl(
            ["--http2-prior-knowledge", "-i"] + Self.request + ["-H", "X-Token: a-token-of-nobody-1", url])
        #expect(result.status == 200)
        #expect(result.text.lowercased().contains("grpc-status: 14"), "\(result.text)")
        let nobody = try curl(["--http2-prior-knowledge", "-i"] + Self.request + [url])
        #expect(nobody.text.contains("grpc-message: Missing X-Token header"))
    }

    /// A status in trailers tells it, where others get a reset.
    @Test(.timeLimit(.minutes(1))) func anAnswerThatBreaksOffEndsWithAStatus() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(
                200, fields: [("Content-Type", "application/grpc+proto"), ("Transfer-Encoding", "chunked")])
            try connection.socket.write(Array("4\r\npart\r\n".utf8))
            connection.socket.reset()
        }
        let tunnel = try TunnelPair(to: origin.url)
        let answer = try Self.ask(tunnel, "--http2-prior-knowledge")
        #expect(answer.contains("part"))
        #expect(answer.contains("grpc-status: 14"), "\(answer)")
    }
}
