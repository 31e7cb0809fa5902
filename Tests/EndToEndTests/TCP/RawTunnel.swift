import TestSupport

/// A server with a port of plain TCP, and a tunnel client whose origin is a TCP service.
final class RawTunnel: Sendable {
    static let token = "raw-service-token-0123"

    let server: AgentProcess
    /// Of the server, for tunnel clients and HTTP.
    let port: Int
    /// Of plain TCP.
    let rawPort: Int
    private let servicePort: Int

    /// Starts the server, and the client unless told otherwise.
    ///
    /// - Parameters:
    ///   - service: the port of the service on 127.0.0.1.
    ///   - portOptions: more of the port's entry, such as `idle-timeout: 1s`.
    ///   - serverOptions: more lines of the server's entry.
    init(to service: Int, portOptions: [String] = [], serverOptions: [String] = []) throws {
        let entry = (["port: 0", "token: \(Self.token)"] + portOptions).joined(separator: ", ")
        server = try AgentProcess(
            configuration: Configuration.server(serverOptions + ["ports:", "  - { \(entry) }"]))
        port = try server.port(ofServer: "public")
        rawPort = try server.port(ofServer: "public:0")
        servicePort = service
    }

    /// Starts a tunnel client and waits until it is connected.
    func startClient(to origin: String? = nil, connections: Int = 2) throws -> AgentProcess {
        let start = server.log.count
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: origin ?? "tcp://127.0.0.1:\(servicePort)",
                token: Self.token, options: ["connections: \(connections)"]))
        try server.waitForSessions(connections, from: start)
        return client
    }

    /// Connects to the port of plain TCP.
    func connect(receiveBuffer: Int32? = nil) throws -> StreamSocket {
        try StreamSocket(port: rawPort, receiveBuffer: receiveBuffer)
    }

    /// Waits for the access line of a connection, and gives it.
    func waitForConnection(from start: Int = 0, _ fields: [String: String] = [:]) throws -> LogfmtLine {
        try server.waitForLog("Request", fields.merging(["method": "TCP"]) { $1 }, from: start)
    }
}

extension ScriptedOrigin {
    /// A service that sends back what it gets, and then `bye`.
    static func rawEcho() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            do {
                while true { try connection.socket.write(connection.socket.readSome()) }
            } catch StreamEnd.closed {
                try connection.socket.write("bye")
            }
        }
    }
}
