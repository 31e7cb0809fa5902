import TestSupport

/// Callers who know a name and no token.
extension HTTPConnection {
    /// Asks for a path of a host, on this connection.
    func get(_ path: String = "/", host: String) throws -> HTTPResponse {
        try send("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        return try readResponse()
    }

    /// Asks on a connection of its own.
    static func get(_ path: String = "/", host: String, port: Int) throws -> HTTPResponse {
        let connection = try HTTPConnection(port: port)
        defer { connection.close() }
        return try connection.get(path, host: host)
    }
}

/// An origin that says the path at which it was asked: tunnels with different paths in their `server` are told apart by it.
final class PathOrigin: Sendable {
    private let origin: ScriptedOrigin

    init() throws {
        origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() { try connection.respond(text: request.target) }
        }
    }

    /// The `server` of a tunnel whose requests are answered by this and the caller's path.
    func url(_ name: String) -> String { "\(origin.url)/\(name)" }
}
