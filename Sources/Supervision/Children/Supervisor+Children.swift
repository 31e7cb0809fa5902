import HostSystem
import Logging
import Observability
import Reconciliation
import TunnelClient
import TunnelConfiguration
import TunnelServer

/// What left the configuration, or was replaced, and finishes what it has in flight.
struct LeavingChildren {
    var servers: [ObjectIdentifier: (name: String, running: RunningServer)] = [:]
    var tunnels: [ObjectIdentifier: (name: String, running: RunningTunnel)] = [:]
}

/// Servers and tunnels: how each begins, changes and ends.
extension Supervisor {
    // MARK: Servers

    func carryOut(
        _ change: Change<ServerConfiguration>, _ preparation: Preparation, grace: Duration,
        in group: inout DiscardingTaskGroup
    ) async {
        switch change {
        case .start(let specification):
            guard let socket = preparation.sockets[specification.name] else { return }
            socket.share(specification.reusePort)
            let server = TunnelServer(
                specification, group: means.group, log: means.log, budget: means.budget,
                software: means.software)
            if let owner = preparation.predecessors[specification.name], let old = servers[owner] {
                server.succeed(old.server)
            }
            // Where the port was another process's until now, callers came to be served by that one's tunnels.
            let isSuccessor = preparation.hasTakenOver || (machine.isStarting && socket.isInherited)
            server.expect(isSuccessor ? .every : .listed)
            begin(RunningServer(server: server, socket: socket), specification.name, in: &group)
            await listen(specification.name, in: &group)
        case .replace(let specification, _):
            guard let socket = preparation.sockets[specification.name],
                let running = servers[specification.name]
            else { return }
            running.server.update(specification, grace: grace)
            servers[specification.name]?.socket = socket
            socket.share(specification.reusePort)
            let isHandedOn = preparation.handedOn.contains(specification.name)
            await listen(specification.name, keepingOld: isHandedOn, in: &group)
        case .update(let specification, _):
            servers[specification.name]?.server.update(specification, grace: grace)
        case .stop(let name):
            guard let running = servers.removeValue(forKey: name) else { return }
            leaving.servers[ObjectIdentifier(running.server)] = (name, running)
            if preparation.handedOn.contains(name) { running.socketIsKept.give() }
            leave(running.stop, running.ended, grace: grace, in: &group) { running.server.close() }
        }
    }

    private func begin(_ running: RunningServer, _ name: String, in group: inout DiscardingTaskGroup) {
        servers[name] = running
        childCount += 1
        group.addTask {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while let reason = await running.server.untilListenerFails() {
                        await self.listenerBroke(name, reason).wait()
                    }
                }
                await running.run()
                group.cancelAll()
            }
            await self.serverEnded(running)
        }
    }

    private func serverEnded(_ running: RunningServer) {
        leaving.servers[ObjectIdentifier(running.server)] = nil
        childEnded()
    }

    /// Opens a server to its socket. When that fails, or the listener breaks later, it is tried again after a while.
    ///
    /// - Parameter keepingOld: whether another server takes over the socket that this one listens on until now.
    func listen(_ name: String, keepingOld: Bool = false, in group: inout DiscardingTaskGroup) async {
        guard let running = servers[name] else { return }
        do {
            if let left = try await running.server.listen(on: running.socket) {
                group.addTask { await left.leave(keepingSocket: keepingOld) }
            }
        } catch {
            _ = listenerBroke(name, "\(error)")
            return
        }
        guard let repair = repairs.removeValue(forKey: name) else { return }
        repair.give()
        mailbox.yield(.listenerRestored(server: name))
    }

    /// - Returns: given when there is a listener again.
    private func listenerBroke(_ name: String, _ reason: String) -> StopSignal {
        logger.error(
            "A listener broke; it is opened again in a moment",
            metadata: [.serverName: "\(name)", .errorMessage: "\(reason)"])
        mailbox.yield(.listenerFailed(server: name))
        let repair = repairs[name] ?? StopSignal()
        repairs[name] = repair
        return repair
    }

    func scheduleRestart(
        _ server: String, _ attempt: UInt64, after wait: Duration, in group: inout DiscardingTaskGroup
    ) {
        let mailbox = mailbox
        group.addTask {
            guard (try? await Task.sleep(for: wait)) != nil else { return }
            mailbox.yield(.restartDue(server: server, attempt: attempt))
        }
    }

    // MARK: Tunnels

    func carryOut(
        _ change: Change<TunnelClientConfiguration>, _ preparation: Preparation, grace: Duration,
        in group: inout DiscardingTaskGroup
    ) {
        switch change {
        case .start(let specification):
            guard let client = preparation.clients[specification.name] else { return }
            begin(RunningTunnel(client), specification.name)
        case .replace(let specification, _), .update(let specification, _):
            guard let client = preparation.clients[specification.name],
                let old = tunnels[specification.name]
            else { return }
            replace(old, by: RunningTunnel(client), specification.name, grace: grace, in: &group)
        case .stop(let name):
            guard let running = tunnels.removeValue(forKey: name) else { return }
            seeOff(running, name)
            for (leavingName, old) in leaving.tunnels.values where leavingName == name {
                leave(old.stop, old.ended, grace: grace, in: &group) { old.client.close() }
            }
        }
    }

    /// Of a group with a hundred thousand tasks each that ends is looked for among all others; `childCount` waits for
    /// these.
    private func begin(_ running: RunningTunnel, _ name: String) {
        tunnels[name] = running
        childCount += 1
        Task.detached {
            let end = await running.run()
            await self.tunnelEnded(running, name, end)
        }
    }

    private func tunnelEnded(_ running: RunningTunnel, _ name: String, _ end: TunnelClient.RunEnd) {
        leaving.tunnels[ObjectIdentifier(running)] = nil
        if end == .gaveUp, tunnels[name] === running { mailbox.yield(.tunnelGaveUp(name: name)) }
        childEnded()
    }

    /// Counts a tunnel among the leaving ones until it has ended.
    private func seeOff(_ running: RunningTunnel, _ name: String) {
        // One that gave up has ended already.
        if !running.ended.isGiven { leaving.tunnels[ObjectIdentifier(running)] = (name, running) }
    }

    /// Make before break: the old tunnel's sessions carry on until the new one has its first, and dial no more.
    /// Where there is no room for both, the old one goes first.
    private func replace(
        _ old: RunningTunnel, by new: RunningTunnel, _ name: String, grace: Duration,
        in group: inout DiscardingTaskGroup
    ) {
        seeOff(old, name)
        old.client.retire()
        begin(new, name)
        group.addTask {
            let first = await new.client.untilUp()
            await self.successorIsThere(new, first, name, grace: grace)
        }
    }

    private func successorIsThere(
        _ new: RunningTunnel, _ first: TunnelClient.FirstOutcome, _ name: String, grace: Duration
    ) async {
        // A later reload may have replaced it in turn; then what is left waits for that one.
        guard tunnels[name] === new else { return }
        let old = leaving.tunnels.values.filter { $0.name == name }.map(\.running)
        await withDiscardingTaskGroup { group in
            for tunnel in old {
                leave(tunnel.stop, tunnel.ended, grace: grace, in: &group) { tunnel.client.close() }
            }
            guard first == .noRoom else { return }
            group.addTask {
                for tunnel in old { await tunnel.ended.wait() }
                new.client.retryNow()
            }
        }
    }

    // MARK: Endings

    /// Has a child finish; what is still in flight after the grace is cut.
    private func leave(
        _ stop: StopSignal, _ ended: StopSignal, grace: Duration, in group: inout DiscardingTaskGroup,
        cut: @escaping @Sendable () -> Void
    ) {
        guard !stop.isGiven else { return }
        stop.give()
        group.addTask {
            let hasEnded = await ended.wait(atMost: grace)
            if !hasEnded { cut() }
        }
    }

    private func childEnded() {
        childCount -= 1
        endIfNobodyIsLeft()
    }

    /// Has everything finish.
    func drainAll(_ grace: Duration, in group: inout DiscardingTaskGroup) {
        logger.notice(
            "Stopping: requests in flight are finished; a second signal ends them",
            metadata: [.graceMilliseconds: .milliseconds(grace)])
        notifier.stopping(status: "finishing what is in flight")
        armLastResort(after: grace)
        let servers = allServers
        for server in servers { server.stop.give() }
        let tunnels = allTunnels
        group.addTask {
            // The last requests of our own servers may be for our own tunnels.
            for server in servers { await server.quiet.wait() }
            for tunnel in tunnels { tunnel.stop.give() }
        }
        let (logger, mailbox) = (logger, mailbox)
        group.addTask {
            guard (try? await Task.sleep(for: grace)) != nil else { return }
            logger.warning("The grace is over: what is still in flight is cut", metadata: [:])
            mailbox.yield(.graceOver)
        }
        endIfNobodyIsLeft()
    }

    private func armLastResort(after time: Duration) {
        let (log, logger, pidfile, control) = (means.log, logger, pidfile, control)
        LastResort.arm(after: time, exitCode: machine.isStoppingAsAsked ? 0 : 1) {
            logger.warning("The end took too long: what is left is given up", metadata: [:])
            pidfile?.remove()
            control.removeSockets()
            // It may be the disk that the end hangs on.
            log.close(timeout: .milliseconds(200))
        }
    }

    private func endIfNobodyIsLeft() {
        if machine.isStopping, childCount == 0 { mailbox.yield(.everythingEnded) }
    }

    func cutAll() {
        armLastResort(after: .zero)
        for server in allServers { server.server.close() }
        for tunnel in allTunnels {
            tunnel.stop.give()
            tunnel.client.close()
        }
    }

    private var allServers: [RunningServer] {
        Array(servers.values) + leaving.servers.values.map(\.running)
    }

    private var allTunnels: [RunningTunnel] {
        Array(tunnels.values) + leaving.tunnels.values.map(\.running)
    }
}
