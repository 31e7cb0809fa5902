import TestSupport

/// A tunnel server and a tunnel client, each in a process of its own, and a caller's means to use them.
final class TunnelPair: Sendable {
    static let token = "end-to-end-token-0123"

    let server: AgentProcess
    let client: AgentProcess
    /// Where the server listens.
    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }

    /// Starts both and waits until the server has as many sessions as the client keeps.
    ///
    /// - Parameters:
    ///   - origin: the client's `server`; nil for none.
    ///   - serverOptions: more lines of the server's entry, such as `queue-timeout: 1s`.
    ///   - clientOptions: more lines of the tunnel's entry.
    ///   - connections: of the client; nil for the default.
    ///   - basePath: of the server.
    init(
        to origin: String?, serverOptions: [String] = [], clientOptions: [String] = [],
        connections: Int? = 2, basePath: String = ""
    ) throws {
        let server = try AgentProcess(
            configuration: Configuration.server(
                serverOptions + (basePath.isEmpty ? [] : ["base-path: \(basePath)"])))
        self.server = server
        port = try server.port(ofServer: "public")
        client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)\(basePath)", to: origin,
                options: clientOptions + (connections.map { ["connections: \($0)"] } ?? [])))
        try server.waitForSessions(connections ?? 1)
    }

    /// Opens a connection to the server.
    func connect(limit: Duration = .seconds(20), receiveBuffer: Int32? = nil) throws -> HTTPConnection {
        try HTTPConnection(port: port, limit: limit, receiveBuffer: receiveBuffer)
    }

    /// Sends one request on a connection of its own, `X-Token` added, and reads its response.
    @discardableResult
    func exchange(
        _ method: String, _ target: String, fields: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        let connection = try connect()
        defer { connection.close() }
        return try connection.exchange(
            method, target, fields: [("X-Token", Self.token)] + fields, body: body)
    }

    /// Runs curl on a path of the server, `X-Token` added.
    func curl(
        _ path: String, _ arguments: String..., within limit: Duration = .seconds(60)
    ) throws -> CurlResult {
        try TestSupport.curl(arguments + ["-H", "X-Token: \(Self.token)", url + path], within: limit)
    }
}

/// Texts of `tunnels.yaml`.
enum Configuration {
    /// A server `public` on a port that the kernel picks.
    static func server(_ options: [String] = []) -> String {
        (["version: 1", "servers:", "  - name: public", "    host: 127.0.0.1", "    port: 0"]
            + options.map { "    \($0)" }).joined(separator: "\n") + "\n"
    }

    /// A tunnel `web`.
    static func client(
        tunnel: String, to origin: String?, token: String = TunnelPair.token, options: [String] = []
    ) -> String {
        "version: 1\ntunnels:\n"
            + entry(name: "web", tunnel: tunnel, to: origin, token: token, options: options)
    }

    /// An entry of `tunnels`.
    static func entry(
        name: String, tunnel: String, to origin: String?, token: String, options: [String] = []
    ) -> String {
        (["  - name: \(name)", "    tunnel: \(tunnel)", "    token: \(token)"]
            + (origin.map { ["    server: \($0)"] } ?? []) + options.map { "    \($0)" })
            .joined(separator: "\n") + "\n"
    }
}

extension AgentProcess {
    /// Waits until as many sessions have joined this server since a line of its log.
    func waitForSessions(_ count: Int, from start: Int = 0) throws {
        var next = start
        for _ in 0..<count {
            try waitForLog("Session joined", from: next)
            let joined = log[next...].firstIndex { $0.contains(#"message="Session joined""#) }
            next = (joined ?? next) + 1
        }
    }
}
