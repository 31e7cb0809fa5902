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

    /// How a run ended.
    package enum RunEnd: Sendable, Equatable {
        /// Its task was cancelled.
        case stopped
        /// The server was not reached in as many tries as are allowed (`max-retries`).
        case gaveUp
    }

    private let configuration: TunnelClientConfiguration
    private let loops: [any EventLoop]
    private let directory: OriginDirectory
    private let tls: ClientTLS?
    private let statusFile: StatusFile?
    private let budget: any ReceiveBudget
    private let software: String
    private let logger: Logger
    /// Tells the server which connections belong together.
    private let identity = String(UInt64.random(in: .min ... .max), radix: 16)
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
        statusFile = configuration.statusFile.map { Self.makeStatusFile($0, logger) }
    }

    /// A status file that cannot be written is told of, and is no reason not to run.
    private static func makeStatusFile(_ path: String, _ logger: Logger) -> StatusFile {
        let file = StatusFile(path: path) { error in
            logger.error("Cannot write the status file", metadata: [.errorMessage: "\(error)"])
        }
        file.tryOut()
        return file
    }

    /// Keeps the sessions up until the task is cancelled, or the tunnel gives up; then finishes what is in flight
    /// and returns.
    package func run() async -> RunEnd {
        let connections = configuration.connections ?? min(loops.count, Self.mostConnections)
        tellOfTheWayOut(connections)
        // Where nobody said how many: a server of protocol v1 counts each of them as a client.
        let certain = configuration.connections ?? 1
        let (foundMux, found) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        return await withTaskGroup(of: RunEnd.self) { group in
            for slot in 0..<certain {
                group.addTask { await self.keep(slot) { found.yield() } }
            }
            if certain < connections {
                group.addTask { await self.keep(certain..<connections, whenever: foundMux) }
            }
            var end = RunEnd.stopped
            for await slotEnd in group where slotEnd == .gaveUp {
                end = .gaveUp
                group.cancelAll()
            }
            return end
        }
    }

    /// Keeps further sessions up for as long as their server speaks protocol v2.
    private func keep(_ slots: Range<Int>, whenever foundMux: AsyncStream<Void>) async -> RunEnd {
        for await _ in foundMux {
            let end = await withTaskGroup(of: RunEnd.self) { group in
                for slot in slots { group.addTask { await self.keep(slot) {} } }
                let end = await group.first { $0 == .gaveUp } ?? .stopped
                group.cancelAll()
                return end
            }
            if end == .gaveUp { return end }
        }
        return .stopped
    }

    private func tellOfTheWayOut(_ connections: Int) {
        if let proxy = target(0).proxy {
            logger.info("Dialling through a proxy", metadata: [.proxyAddress: "\(proxy.name)"])
        }
        if let ports = ClientPorts(configuration.clientPorts), ports.count < connections {
            logger.warning(
                "Fewer client-ports than connections: some will not come up; name more ports, or set connections",
                metadata: [.portCount: "\(ports.count)", .limit: "\(connections)"])
        }
    }

    /// Closes every session at once.
    package func close() {
        for life in lives.withLock({ Array($0.values) }) { life.close() }
    }

    /// Keeps one session up: a new one as soon as the last has ended, or as soon as its server says it is leaving.
    ///
    /// - Parameter foundMux: called when a session speaks protocol v2.
    private func keep(_ slot: Int, foundMux: @Sendable () -> Void) async -> RunEnd {
        let eventLoop = loops[slot % loops.count]
        let dialler = TunnelDialler(target(slot))
        var backoff = ReconnectBackoff()
        backoff.longest = configuration.longestRetryDelay
        var failures = 0
        var random = SystemRandomNumberGenerator()
        var complaint = RepeatedComplaint()
        var leaving = LeavingSessions()
        return await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let started = ContinuousClock.now
                let life = SessionLife(on: eventLoop)
                lives.withLock { $0[ObjectIdentifier(life)] = life }
                var wait: Duration
                do {
                    _ = try await dialler.dial(on: eventLoop) { self.makeHandler($0, life, eventLoop) }
                    complaint.reset()
                    failures = 0
                    group.addTask { await self.accompany(life) }
                    if life.speaksMux {
                        foundMux()
                    } else if slot > 0, configuration.connections == nil {
                        life.stop()
                        return .stopped
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
                    failures = hasSession ? 0 : failures + 1
                    if let most = configuration.maxRetries, failures >= most {
                        logger.error(
                            "Gave up: the tunnel server was not reached",
                            metadata: [.limit: "\(most)", .errorMessage: "\(words(for: error))"])
                        return .gaveUp
                    }
                    complain(error, wait, slot, &complaint)
                }
                try? await Task.sleep(for: wait)
            }
            return .stopped
        }
    }

    /// Whether any connection of the tunnel is up.
    private var hasSession: Bool { lives.withLock { $0.values.contains { $0.isUp } } }

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
            directory: directory, limits: limits, eventLoop: eventLoop, life: life, statusFile: statusFile,
            logger: logger)
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
        let message = words(for: error)
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

    /// Why the server was not reached, without secrets: what a server or a proxy says may repeat what it was told.
    private func words(for error: any Error) -> String {
        let message = (error as? DialError)?.message ?? ConnectionFailure.describe(error)
        let tunnel = configuration
        var secrets = [
            tunnel.token.secret, tunnel.password?.secret, tunnel.tunnel.credentials?.password.secret,
            tunnel.proxy?.credentials?.password.secret,
        ].compactMap { $0 }
        let target = target(0)
        let authorizations = target.fields.pairs.map(\.value) + [target.proxy?.authorization ?? ""]
        secrets += authorizations.compactMap { $0.hasPrefix("Basic ") ? String($0.dropFirst(6)) : nil }
        return SecretMask(secrets).apply(to: message)
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
        let outer = url.credentials.map(Self.authorization)
        if let first = own ?? outer { fields.append(.authorization, first) }
        if own != nil, let outer { fields.append(.xTunnelAuthorization, outer) }
        return TunnelDialler.Target(
            host: url.host, port: url.port, path: url.basePath + "/_tunnel", fields: fields, tls: tls,
            proxy: configuration.proxy.map {
                HTTPProxy(host: $0.host, port: $0.port, authorization: $0.credentials.map(Self.authorization))
            }, clientPorts: ClientPorts(configuration.clientPorts))
    }

    private static func authorization(_ credentials: BasicCredentials) -> String {
        BasicAuthorization.encode(user: credentials.user, password: credentials.password.secret)
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
