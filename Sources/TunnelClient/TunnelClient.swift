import HTTPMessage
import Logging
import NIOCore
package import NIOPosix
package import Observability
import OriginHTTP
import Synchronization
package import TunnelConfiguration
package import TunnelProtocol
import TunnelTransport

/// One tunnel: keeps sessions to its server and takes what comes through them to the origins.
package final class TunnelClient: Sendable {
    /// Sessions kept when the configuration names no number, at most.
    private static let mostConnections = 4

    private let configuration: TunnelClientConfiguration
    private let loops: [any EventLoop]
    private let directory: OriginDirectory
    private let tls: ClientTLS?
    private let budget: any ReceiveBudget
    private let software: String
    private let logger: Logger
    /// Tells the server which connections belong together.
    private let identity = String(UInt64.random(in: .min ... .max), radix: 16)
    /// Connections beyond the first that are kept though nobody said how many there should be.
    private let furtherSlots = Mutex<Set<Int>>([])
    private let lives = Mutex<[ObjectIdentifier: SessionLife]>([:])

    /// - Throws: `TunnelClientError` when the certificates cannot be read. Reads files: not for event loops.
    package init(
        _ configuration: TunnelClientConfiguration, group: MultiThreadedEventLoopGroup, log: AgentLog,
        budget: any ReceiveBudget, software: String
    ) throws(TunnelClientError) {
        self.configuration = configuration
        self.loops = Array(group.makeIterator())
        self.budget = budget
        self.software = software
        do {
            directory = try OriginDirectory(configuration)
            tls =
                configuration.tunnel.isSecure
                ? try ClientTLS(
                    certFile: configuration.certFile, isInsecure: configuration.isInsecure) : nil
        } catch {
            throw TunnelClientError(description: "tunnels[\(configuration.name)]: \(error)")
        }
        var logger = log.makeLogger(label: "client")
        logger[.tunnelName] = "\(configuration.name)"
        logger[.tokenHint] = "\(configuration.token.hint)"
        self.logger = logger
    }

    /// Keeps the sessions up until the task is cancelled; then finishes what is in flight and returns.
    package func run() async {
        if let connections = configuration.connections {
            await withDiscardingTaskGroup { group in
                for slot in 0..<connections { group.addTask { await self.keep(slot) {} } }
            }
        } else {
            await runAsTheServerAllows()
        }
    }

    /// Where nobody said how many connections there should be: one to a server of protocol v1, which counts each of
    /// them as a client, else one for each event loop.
    private func runAsTheServerAllows() async {
        let most = min(loops.count, Self.mostConnections)
        let (foundMux, found) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            group.addTask {
                await self.keep(0) { found.yield() }
                found.finish()
            }
            for await _ in foundMux {
                for slot in 1..<max(1, most) where furtherSlots.withLock({ $0.insert(slot).inserted }) {
                    group.addTask {
                        await self.keep(slot) {}
                        self.furtherSlots.withLock { _ = $0.remove(slot) }
                    }
                }
            }
        }
    }

    /// Closes every session at once.
    package func close() {
        for life in lives.withLock({ Array($0.values) }) { life.close() }
    }

    /// Keeps one session up: a new one as soon as the last has ended, or as soon as its server says it is leaving.
    ///
    /// - Parameter foundMux: called when a session speaks protocol v2.
    private func keep(_ slot: Int, foundMux: @escaping @Sendable () -> Void) async {
        let eventLoop = loops[slot % loops.count]
        let dialler = TunnelDialler(target(slot))
        var backoff = ReconnectBackoff()
        var random = SystemRandomNumberGenerator()
        var complaint = RepeatedComplaint()
        var leaving = LeavingSessions()
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let started = ContinuousClock.now
                let life = SessionLife(on: eventLoop)
                lives.withLock { $0[ObjectIdentifier(life)] = life }
                var wait: Duration
                do {
                    _ = try await dialler.dial(on: eventLoop) { self.makeHandler($0, life, eventLoop) }
                    complaint.reset()
                    group.addTask { await self.accompany(life) }
                    if life.speaksMux {
                        foundMux()
                    } else if slot > 0, configuration.connections == nil {
                        life.stop()
                        return
                    }
                    await life.untilReleased()
                    leaving.add(life)
                    backoff.sessionEnded(after: .now - started)
                    wait = backoff.next(using: &random)
                } catch {
                    life.neverBegan()
                    forget(life)
                    guard !Task.isCancelled else { break }
                    let isRefusal = (error as? DialError)?.isRefusal ?? false
                    wait = isRefusal ? backoff.afterRefusal(using: &random) : backoff.next(using: &random)
                    complain(error, wait, slot, &complaint)
                }
                try? await Task.sleep(for: wait)
            }
        }
    }

    /// Waits for the end of a session.
    private func accompany(_ life: SessionLife) async {
        let end = await life.untilEnded()
        forget(life)
        let fields: LogFields = [.errorCode: "\(end.label)", .closeReason: "\(end.message)"]
        switch end {
        case .drained, .closedByUs: logger.info("Session ended", metadata: fields)
        default: logger.warning("Session lost", metadata: fields)
        }
    }

    private func forget(_ life: SessionLife) {
        lives.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(life)) }
    }

    private func makeHandler(
        _ version: TunnelVersion, _ life: SessionLife, _ eventLoop: any EventLoop
    ) -> SessionHandler {
        let limits = SessionLimits(keepaliveTimeout: configuration.timeout)
        let owner = ClientSession(
            directory: directory, limits: limits, eventLoop: eventLoop, life: life, logger: logger)
        let handler: SessionHandler
        switch version {
        case .v1:
            handler = SessionHandler(
                oldProtocolAs: .acceptor, limits: limits, peer: "unknown", budget: budget,
                numbering: nil, owner: owner)
        case .v2:
            let settings = SessionSettings(
                maximumStreams: limits.maximumStreams, initialWindow: limits.minimumWindow,
                software: software, tunnelName: configuration.name)
            handler = SessionHandler(
                role: .acceptor, limits: limits, settings: settings, budget: budget, owner: owner)
        }
        life.began(SessionReference(handler, eventLoop: eventLoop), speaksMux: version == .v2)
        return handler
    }

    private func complain(
        _ error: any Error, _ wait: Duration, _ slot: Int, _ complaint: inout RepeatedComplaint
    ) {
        let message = withoutSecrets((error as? DialError)?.message ?? ConnectionFailure.describe(error))
        let code = (error as? DialError)?.code.rawValue ?? DialError.Code.unreachable.rawValue
        let url = configuration.tunnel
        let level: Logger.Level = slot == 0 && complaint.isNews(message) ? .warning : .debug
        logger.log(
            level: level, "Cannot connect",
            metadata: Logger.Metadata([
                .tunnelURL: "\(url.isSecure ? "wss" : "ws")://\(url.host):\(url.port)\(url.basePath)",
                .errorCode: "\(code)", .errorMessage: "\(message)",
                .retryDelayMilliseconds: .milliseconds(wait),
            ]))
    }

    /// What a server says may repeat what it was told.
    private func withoutSecrets(_ message: String) -> String {
        let tunnel = configuration
        let outer = tunnel.tunnel.credentials?.password.secret
        var secrets = [tunnel.token.secret, tunnel.password?.secret, outer].compactMap { $0 }
        secrets += target(0).fields.pairs.compactMap {
            $1.hasPrefix("Basic ") ? String($1.dropFirst(6)) : nil
        }
        return secrets.reduce(message) { $1.isEmpty ? $0 : $0.replacing($1, with: "***") }
    }

    /// Where to dial and how to announce the tunnel (`Authorization` carries the token's password; the URL's own
    /// credentials are for what stands before the server).
    private func target(_ slot: Int) -> TunnelDialler.Target {
        let url = configuration.tunnel
        var fields = HeaderFields([.origin: configuration.token.secret, .xClientVersion: software])
        fields.append(named: "X-Tunnel-Client", "\(identity)/\(slot)")
        let own = configuration.password.map {
            BasicAuthorization.encode(user: configuration.token.secret, password: $0.secret)
        }
        let outer = url.credentials.map {
            BasicAuthorization.encode(user: $0.user, password: $0.password.secret)
        }
        if let first = own ?? outer { fields.append(.authorization, first) }
        if own != nil, let outer { fields.append(.xTunnelAuthorization, outer) }
        return TunnelDialler.Target(
            host: url.host, port: url.port, path: url.basePath + "/_tunnel", fields: fields, tls: tls)
    }
}

/// A tunnel that cannot be started.
package struct TunnelClientError: Error, CustomStringConvertible {
    /// What is wrong, and where in the configuration.
    package let description: String
}

/// Tells news from what was said a moment ago, so that a server that is away does not fill the log.
struct RepeatedComplaint {
    /// The same complaint is made again after so long.
    private static let interval: Duration = .seconds(60)

    private var last: (message: String, at: ContinuousClock.Instant)?

    mutating func isNews(_ message: String) -> Bool {
        if let last, last.message == message, .now - last.at < Self.interval { return false }
        last = (message, .now)
        return true
    }

    mutating func reset() { last = nil }
}
