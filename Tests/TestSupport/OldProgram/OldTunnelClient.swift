import Foundation
import Synchronization

/// A tunnel client as the old program is, from the facts of protocol v1: strict, and as odd as a test wants.
///
/// ```swift
/// let client = try OldTunnelClient(port: port, to: origin.port)
/// …
/// #expect(client.violations == [])
/// ```
///
/// It does not connect again by itself: a test makes another one.
package final class OldTunnelClient: Sendable {
    package struct Options: Sendable {
        /// Goes into `Origin`; nil leaves it out.
        package var token: String?
        package var password: String?
        /// The `user:password` of the tunnel's URL.
        package var userinfo: String?
        /// In place of what token and password make.
        package var authorization: String?
        package var clientVersion: String? = "wstunnel v1.1.1"
        package var basePath = ""
        package var connections = 1
        /// Pings go out in thirds of it.
        package var timeout: Duration = .seconds(30)
        package var sendsPings = true
        package var fragmentation = OldFragmentation.asWritten
        package var style = OldAnswer.Style()
        /// Sends before and after each answer one to an id that nobody asked with.
        package var answersUnknownIDs = false
        /// Sends each answer that is made by `respond` twice.
        package var answersTwice = false
        /// Whether a message may hold a request that is cut short, because its caller has left.
        package var toleratesCutRequests = false

        package init(token: String? = nil) { self.token = token }
    }

    package typealias Handler = @Sendable (OldRequest, OldAnswer) throws -> Void

    private let core: OldClientCore
    private let links: [OldLink]

    /// Connects, and answers by calling the handler on a thread for each request.
    ///
    /// - Throws: `OldRefusal` when the server does not take it.
    package init(port: Int, _ options: Options, _ handler: @escaping Handler) throws {
        let core = OldClientCore(options, handler)
        self.core = core
        links = try (0..<options.connections).map { _ in
            let socket = try Self.shakeHands(port: port, options, core.violations)
            socket.set(limit: options.timeout)
            return OldLink(
                socket, isClient: true, fragmentation: options.fragmentation, core.violations)
        }
        for link in links {
            Thread.detachNewThread { core.serve(link) }
            if options.sendsPings { Thread.detachNewThread { core.ping(link) } }
        }
    }

    deinit { for link in links { link.socket.interrupt() } }

    /// What the server did wrong so far.
    package var violations: [String] { core.violations.all }
    /// The ids of the requests in the order in which they came.
    package var ids: [Int] { core.ids }
    /// How many connections have ended.
    package var endedCount: Int { core.ended.value }
    /// How many pongs came.
    package var pongCount: Int { core.pongs.value }
    /// How many pings went out, those between fragments too.
    package var pingCount: Int { links.reduce(0) { $0 + $1.pingCount } }

    package func waitForRequests(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.asked.wait(for: count, within: limit, what: "requests at the old client")
    }

    package func waitForPongs(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try core.pongs.wait(for: count, within: limit, what: "pongs at the old client")
    }

    /// Waits until all its connections are over.
    package func waitForEnd(within limit: Duration = .seconds(20)) throws {
        try core.ended.wait(for: links.count, within: limit, what: "ends of the old client's connections")
    }

    /// Says good-bye on all connections and waits until they are over.
    package func close() throws {
        core.leave()
        for link in links { link.sendClose() }
        try waitForEnd()
    }

    /// Dies: all connections are reset.
    package func kill() {
        core.leave()
        for link in links { link.socket.cut() }
    }

    /// Sends a message of WebSocket as it is, on the first connection: what no client should send.
    package func sendRaw(_ message: WebSocketMessage) throws { try links[0].send(message) }
}
