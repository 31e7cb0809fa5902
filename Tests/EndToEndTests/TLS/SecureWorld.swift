import Synchronization
import TestSupport

/// A tunnel server that speaks TLS, a client that dials it, and curl as their caller.
final class SecureWorld: Sendable {
    static let token = TunnelPair.token

    let authority: CertificateAuthority
    let identity: CertificateAuthority.Issued
    let server: AgentProcess
    let port: Int
    /// As long as it runs.
    private let clients = Mutex<[AgentProcess]>([])

    /// - Parameters:
    ///   - tls: more lines below `tls`.
    ///   - options: more lines of the server's entry.
    init(
        _ authority: CertificateAuthority, _ identity: CertificateAuthority.Issued, tls: [String] = [],
        options: [String] = []
    ) throws {
        self.authority = authority
        self.identity = identity
        server = try AgentProcess(
            configuration: Configuration.server(Self.tls(identity, tls) + options))
        port = try server.port(ofServer: "public")
    }

    convenience init(tls: [String] = [], options: [String] = []) throws {
        let authority = try CertificateAuthority()
        try self.init(authority, try authority.issue("server", name: "server"), tls: tls, options: options)
    }

    static func tls(_ identity: CertificateAuthority.Issued, _ more: [String] = []) -> [String] {
        ["tls:", "  certfile: \(identity.path)", "  keyfile: \(identity.keyPath)"] + more.map { "  \($0)" }
    }

    /// Starts a tunnel to an echo.
    ///
    /// - Parameter trusts: whether it is told of the authority.
    func client(
        _ options: [String] = [], trusts: Bool = true, to origin: String = "builtin:echo"
    ) throws -> AgentProcess {
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(port)", to: origin,
                options: (trusts ? ["certfile: \(authority.path)"] : []) + ["connections: 1"] + options))
        clients.withLock { $0.append(client) }
        return client
    }

    /// The same, once it has a session.
    func connectClient(
        _ options: [String] = [], trusts: Bool = true, to origin: String = "builtin:echo"
    ) throws {
        _ = try client(options, trusts: trusts, to: origin)
        try server.waitForSessions(1)
    }

    /// Runs curl on a path of the server, `X-Token` added.
    func curl(_ path: String, _ arguments: String...) throws -> CurlResult {
        try TestSupport.curl(
            ["--cacert", authority.path, "-H", "X-Token: \(Self.token)"] + arguments
                + ["https://127.0.0.1:\(port)\(path)"])
    }
}

/// What `openssl s_client` tells of a connection that it makes and ends.
func opensslClient(port: Int, _ arguments: String...) throws -> String {
    let program = try ChildProcess(
        ["openssl", "s_client", "-connect", "127.0.0.1:\(port)"] + arguments)
    _ = try program.waitForExit()
    return program.standardOutput.text + program.standardError.text
}
