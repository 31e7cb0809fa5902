import Synchronization
import TestSupport
import Testing

/// Whose server and whose client stand at the ends of a tunnel: this program, or the old one.
struct Ends: Hashable, Sendable, CustomTestStringConvertible {
    enum Program: String, Sendable, CaseIterable { case ours, old }
    let server: Program
    let client: Program

    var testDescription: String { "\(server) server, \(client) client" }

    /// All pairs but old with old, which `OldProgramTests` looks at.
    static let all = ourServers + [Ends(server: .old, client: .ours)]
    static let ourServers = [Ends(server: .ours, client: .old), Ends(server: .ours, client: .ours)]
    static let ourClients = [Ends(server: .old, client: .ours), Ends(server: .ours, client: .ours)]
}

/// A tunnel between any two programs.
final class MixedTunnel: Sendable {
    static let token = "mixed-ends-token-0123"

    /// What both programs understand.
    struct Settings: Sendable {
        var password: String?
        var basePath = ""
        var maxClients = 0
        var maxWaiting = 100
        /// Of our server; the old one has it from elsewhere.
        var queueTimeout: String?
        var connections = 1
        var oldClient = OldTunnelClient.Options()
        var oldServer = OldTunnelServer.Options()
    }

    private enum Server: Sendable {
        case ours(AgentProcess)
        case old(OldTunnelServer)
    }

    let ends: Ends
    let port: Int
    private let settings: Settings
    private let server: Server
    private let origin: ScriptedOrigin
    private let clients = Mutex<[MixedClient]>([])

    /// Starts a server, and a client that is connected once this returns.
    init(
        _ ends: Ends, to origin: ScriptedOrigin, clients: Int = 1,
        _ change: (inout Settings) -> Void = { _ in }
    ) throws {
        var settings = Settings()
        change(&settings)
        self.ends = ends
        self.settings = settings
        self.origin = origin
        switch ends.server {
        case .ours:
            let agent = try AgentProcess(configuration: Configuration.server(settings.serverOptions))
            port = try agent.port(ofServer: "public")
            server = .ours(agent)
        case .old:
            let old = try OldTunnelServer(settings.oldServerOptions)
            port = old.port
            server = .old(old)
        }
        for _ in 0..<clients { try startClient() }
    }

    /// The server, where it is an old one.
    var oldServer: OldTunnelServer {
        get throws {
            guard case .old(let server) = server else { throw TestFailure("the server is ours") }
            return server
        }
    }

    /// The server, where it is ours.
    var agentServer: AgentProcess {
        get throws {
            guard case .ours(let server) = server else { throw TestFailure("the server is old") }
            return server
        }
    }

    /// Starts a client more and waits until the server has its connections.
    @discardableResult
    func startClient(password: String? = nil) throws -> MixedClient {
        switch server {
        case .ours(let agent):
            let start = agent.log.count
            let client = try makeClient(password: password)
            try agent.waitForSessions(settings.connections, from: start)
            return client
        case .old(let old):
            let before = old.acceptedCount
            let client = try makeClient(password: password)
            try old.waitForClients(before + settings.connections)
            return client
        }
    }

    /// Starts a client that may not get in.
    ///
    /// - Throws: `OldRefusal` when it is an old one and the server refuses it.
    @discardableResult
    func makeClient(password: String? = nil) throws -> MixedClient {
        let client = try MixedClient(
            ends.client, port: port, to: origin.port, token: Self.token,
            password: password ?? settings.password,
            settings)
        clients.withLock { $0.append(client) }
        return client
    }

    /// What an old end has against the other one.
    var violations: [String] {
        let ofServer = if case .old(let old) = server { old.violations } else { [String]() }
        return ofServer + clients.withLock { $0 }.flatMap(\.violations)
    }

    /// Breaks off all connections and sees to it that there will be new ones.
    ///
    /// - Parameter meanwhile: runs once they are broken, before there are new ones for certain.
    func reconnect(meanwhile: () throws -> Void = {}) throws {
        switch server {
        case .old(let old):
            let (accepted, expected) = (old.acceptedCount, settings.connections)
            old.dropClients()
            try meanwhile()
            try old.waitForClients(accepted + expected)
        case .ours(let agent):
            let start = agent.log.count
            for client in clients.withLock({ $0 }) { client.kill() }
            try agent.waitForLog("Session left", from: start)
            try meanwhile()
            try startClient()
        }
    }

    /// Sends one request on a connection of its own, `X-Token` added, and reads its response.
    @discardableResult
    func exchange(
        _ method: String, _ target: String, fields: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        let caller = try HTTPConnection(port: port)
        defer { caller.close() }
        return try caller.exchange(
            method, settings.basePath + target, fields: [("X-Token", Self.token)] + fields, body: body)
    }

    /// Sends one request on a connection of its own, `X-Token` added.
    func ask(_ method: String, _ target: String, fields: [(String, String)] = []) throws -> HTTPConnection {
        let caller = try HTTPConnection(port: port)
        try caller.send(method, settings.basePath + target, fields: [("X-Token", Self.token)] + fields)
        return caller
    }
}

extension MixedTunnel.Settings {
    fileprivate var serverOptions: [String] {
        var lines = ["max-requests-per-tunnel: \(maxWaiting)", "max-clients-per-token: \(maxClients)"]
        if !basePath.isEmpty { lines.append("base-path: \(basePath)") }
        if let queueTimeout { lines.append("queue-timeout: \(queueTimeout)") }
        if let password {
            lines += ["passwords:", "  - token: \(MixedTunnel.token)", "    password: \(password)"]
        }
        return lines
    }

    fileprivate var oldServerOptions: OldTunnelServer.Options {
        var options = oldServer
        options.basePath = basePath
        options.maxClientsPerToken = maxClients
        options.maxRequestsPerTunnel = maxWaiting
        if let password { options.passwords = [MixedTunnel.token: password] }
        return options
    }
}

/// A client of either program.
final class MixedClient: Sendable {
    private enum Program: Sendable {
        case ours(AgentProcess)
        case old(OldTunnelClient)
    }
    private let program: Program

    init(
        _ program: Ends.Program, port: Int, to origin: Int, token: String, password: String? = nil,
        _ settings: MixedTunnel.Settings = .init()
    ) throws {
        switch program {
        case .ours:
            let options =
                ["connections: \(settings.connections)"] + (password.map { ["password: \($0)"] } ?? [])
            self.program = .ours(
                try AgentProcess(
                    configuration: Configuration.client(
                        tunnel: "ws://127.0.0.1:\(port)\(settings.basePath)",
                        to: "http://127.0.0.1:\(origin)", token: token, options: options)))
        case .old:
            var options = settings.oldClient
            options.token = token
            options.password = password
            options.connections = settings.connections
            options.basePath = settings.basePath
            self.program = .old(try OldTunnelClient(port: port, to: origin, options))
        }
    }

    var agent: AgentProcess? { if case .ours(let agent) = program { agent } else { nil } }
    var old: OldTunnelClient? { if case .old(let client) = program { client } else { nil } }
    var violations: [String] { old?.violations ?? [] }

    /// Expects that it runs and has nothing to complain of.
    func expectLife(sourceLocation: SourceLocation = #_sourceLocation) {
        switch program {
        case .ours(let agent): #expect(agent.process.exit == nil, sourceLocation: sourceLocation)
        case .old(let client):
            #expect(client.violations == [], sourceLocation: sourceLocation)
            #expect(client.endedCount == 0, sourceLocation: sourceLocation)
        }
    }

    /// Dies without a word.
    func kill() {
        switch program {
        case .ours(let agent): agent.process.kill()
        case .old(let client): client.kill()
        }
    }
}
