import Glibc
import Logging
import NIOCore
import NIOPosix
package import Observability
import TunnelClient
package import TunnelConfiguration
import TunnelServer
import TunnelTransport
import UnixSignals

/// The process: every tunnel server and tunnel client of one configuration, from the start to the last byte.
///
/// Servers must all come up, or none does. A tunnel that cannot connect, or whose certificates cannot be read, is
/// that tunnel's trouble: the others run.
package struct Agent: Sendable {
    /// How a run ended.
    package enum Outcome: Sendable, Equatable {
        /// A signal asked for the end, and everything in flight was finished or its grace was over.
        case stopped
        /// A second signal asked for the end at once.
        case stoppedAtOnce
        /// There are no servers, and every tunnel gave up.
        case gaveUp
        /// It could not start; the reasons are logged.
        case failedToStart
    }

    private let configuration: AgentConfiguration
    private let log: AgentLog
    private let software: String
    private let logger: Logger

    /// - Parameter software: program and version, as peers are told.
    package init(_ configuration: AgentConfiguration, log: AgentLog, software: String) {
        self.configuration = configuration
        self.log = log
        self.software = software
        self.logger = log.makeLogger(label: "agent")
    }

    /// Starts everything and runs until a signal asks for the end.
    package func run() async -> Outcome {
        // Signals are caught before anything slow starts.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        OpenFileLimit.raise(logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        let outcome = await run(on: group, signals: signals)
        try? await group.shutdownGracefully()
        return outcome
    }

    private func run(on group: MultiThreadedEventLoopGroup, signals: UnixSignalsSequence) async -> Outcome {
        let budget = ProcessReceiveBudget()
        guard let servers = await startServers(group, budget) else { return .failedToStart }
        // Not before the ports are ours: another agent that runs with this configuration keeps its pidfile.
        guard let pidfile = claimPidfile() else {
            await Self.abandon(servers)
            return .failedToStart
        }
        defer { pidfile.remove() }
        let clients = makeClients(group, budget)
        guard !servers.isEmpty || !clients.isEmpty else { return .failedToStart }
        logger.info(
            "Agent running",
            metadata: [
                .processID: "\(getpid())", .softwareVersion: "\(software)",
                .serverCount: "\(servers.count)", .tunnelCount: "\(clients.count)",
            ])
        let outcome = await withTaskGroup(of: Outcome?.self) { group in
            let stop = StopSignal()
            group.addTask {
                await withDiscardingTaskGroup { group in
                    for client in clients { group.addTask { await Self.run(client, until: stop) } }
                    for server in servers { group.addTask { await Self.run(server, until: stop) } }
                }
                guard !stop.isGiven else { return .stopped }
                self.logger.error("Nothing is left to run: every tunnel gave up", metadata: [:])
                return .gaveUp
            }
            group.addTask { await self.watch(signals, stop: stop) }
            // The signal watcher ends by itself only when there is nothing left to wait for.
            var outcome = Outcome.stopped
            for await ended in group {
                guard let ended else { continue }
                outcome = ended
                break
            }
            for client in clients { client.close() }
            for server in servers { server.close() }
            group.cancelAll()
            return outcome
        }
        logger.info("Agent stopped", metadata: [:])
        return outcome
    }

    /// Obeys signals: the first asks to finish, the next to end at once, and so does the end of the grace.
    private func watch(_ signals: UnixSignalsSequence, stop: StopSignal) async -> Outcome? {
        await withTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                for await signal in signals {
                    guard signal != .sighup else {
                        self.reopenLog()
                        continue
                    }
                    if stop.isGiven { return .stoppedAtOnce }
                    self.logger.notice(
                        "Stopping: requests in flight are finished; a second signal ends them",
                        metadata: [.signal: "\(signal)", .limit: "\(self.configuration.shutdownGrace)"])
                    stop.give()
                }
                return nil
            }
            group.addTask {
                await stop.wait()
                do {
                    try await Task.sleep(for: self.configuration.shutdownGrace)
                } catch {
                    return nil
                }
                self.logger.warning("The grace is over: what is still in flight is cut", metadata: [:])
                return .stopped
            }
            defer { group.cancelAll() }
            for await outcome in group {
                if let outcome { return outcome }
            }
            return nil
        }
    }

    private func reopenLog() {
        do throws(LogSinkError) {
            try log.sink.reopen()
            logger.notice(
                "SIGHUP: the log file was reopened; applying a changed configuration needs a restart",
                metadata: [:])
        } catch {
            logger.error("Cannot reopen the log file", metadata: [.errorMessage: "\(error)"])
        }
    }

    // MARK: Starting

    private func startServers(
        _ group: MultiThreadedEventLoopGroup, _ budget: ProcessReceiveBudget
    ) async -> [TunnelServer]? {
        var servers: [TunnelServer] = []
        var hasFailed = false
        for server in configuration.servers {
            do {
                servers.append(
                    try await TunnelServer.start(
                        server, group: group, log: log, budget: budget, software: software))
            } catch {
                logger.error(
                    "Cannot start", metadata: [.serverName: "\(server.name)", .errorMessage: "\(error)"])
                hasFailed = true
            }
        }
        guard hasFailed else { return servers }
        await Self.abandon(servers)
        return nil
    }

    /// Gives up servers that came up beside one that did not.
    private static func abandon(_ servers: [TunnelServer]) async {
        for server in servers {
            server.close()
            await server.drain()
        }
    }

    private func makeClients(
        _ group: MultiThreadedEventLoopGroup, _ budget: ProcessReceiveBudget
    ) -> [TunnelClient] {
        configuration.tunnels.compactMap { tunnel in
            do throws(TunnelClientError) {
                return try TunnelClient(tunnel, group: group, log: log, budget: budget, software: software)
            } catch {
                logger.error(
                    "Cannot start", metadata: [.tunnelName: "\(tunnel.name)", .errorMessage: "\(error)"])
                return nil
            }
        }
    }

    private func claimPidfile() -> Pidfile? {
        do throws(PidfileError) {
            return try Pidfile(path: configuration.pidfile)
        } catch {
            logger.error("Cannot start", metadata: [.errorMessage: "\(error)"])
            return nil
        }
    }

    // MARK: Stopping

    private static func run(_ client: TunnelClient, until stop: StopSignal) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { _ = await client.run() }
                    group.addTask { await stop.wait() }
                    await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    private static func run(_ server: TunnelServer, until stop: StopSignal) async {
        await stop.wait()
        await server.drain()
    }
}
