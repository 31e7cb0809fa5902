import Foundation

/// A tunnel server as the old program is, from the facts of protocol v1: strict, and as odd as a test wants.
package final class OldTunnelServer: Sendable {
    package struct Options: Sendable {
        package var basePath = ""
        /// By token.
        package var passwords: [String: String] = [:]
        /// The `user:password` that clients have in their tunnel's URL.
        package var userinfo: String?
        /// Whether clients send the token's password even where the server knows none.
        package var clientsHavePasswords = false
        /// 0 is any number.
        package var maxClientsPerToken = 0
        package var maxRequestsPerTunnel = 20
        package var httpTimeout: Duration = .seconds(1200)
        /// Closes connections on which no ping came for so long.
        package var wsTimeout: Duration = .seconds(30)
        package var answersPings = true
        /// The id of each token's first request.
        package var firstID = 1
        package var fragmentation = OldFragmentation.asWritten
        /// Sends requests with a body chunked, where else they have `Content-Length`.
        package var chunksRequests = false
        /// Refuses every client.
        package var refusal: (status: Int, text: String)?
        package init() {}
    }

    private let origin: ScriptedOrigin
    private let core: OldServerCore

    /// Listens on a port of 127.0.0.1.
    package init(port: Int = 0, _ options: Options = Options()) throws {
        let core = OldServerCore(options)
        self.core = core
        origin = try ScriptedOrigin(port: port, limit: .seconds(60)) { connection in
            while let request = try connection.readRequest() {
                guard try core.handle(request, connection) else { return }
            }
        }
    }

    deinit { close() }

    package var port: Int { origin.port }
    /// What clients did wrong so far.
    package var violations: [String] { core.violations.all }
    /// How many tunnel connections were accepted so far.
    package var acceptedCount: Int { core.joined.value }
    /// How many tunnel connections were refused so far.
    package var refusedCount: Int { core.refused.value }
    /// The heads of all handshakes so far.
    package var handshakes: [MessageHead] { core.handshakes }
    /// When pings came.
    package var pings: [ContinuousClock.Instant] { core.pings }

    package func waitForClients(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.joined.wait(for: count, within: limit, what: "tunnel connections at the old server")
    }

    package func waitForRefusals(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.refused.wait(for: count, within: limit, what: "refusals of the old server")
    }

    package func waitForLosses(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.left.wait(for: count, within: limit, what: "tunnel connections to end at the old server")
    }

    package func waitForPongs(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.pongs.wait(for: count, within: limit, what: "pongs at the old server")
    }

    package func waitForPings(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.pingCounter.wait(for: count, within: limit, what: "pings at the old server")
    }

    /// Waits until so many requests for tokens that are known have come since the start.
    package func waitForArrivals(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.arrived.wait(for: count, within: limit, what: "requests at the old server")
    }

    /// Waits until so many requests were handed to clients since the start.
    package func waitForRequests(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.sent.wait(for: count, within: limit, what: "requests sent by the old server")
    }

    /// Breaks off all tunnel connections; clients may come again.
    package func dropClients() { core.dropClients() }

    /// Sends a message of WebSocket as it is to every client: what no server should send.
    package func sendRaw(_ message: WebSocketMessage) throws { try core.sendRaw(message) }

    /// Stops as a program that ends. Safe to call again.
    package func close() {
        core.close()
        origin.close()
    }
}
