import AgentStatus
import Logging
import NIOCore
import Observability
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// Keeping the sessions up.
extension TunnelClient {
    /// A session whose place another has taken stays so long, until the server knows of both.
    private static let handover: TimeAmount = .seconds(1)

    /// Keeps the sessions up until the task is cancelled, the client is retired, or one of them gives up.
    func keepSessions(_ connections: Int) async -> RunEnd {
        tellOfTheWayOut(connections)
        // A group and a task for one connection would be four kilobytes of each tunnel.
        guard connections > 1 else { return await keep(0) {} }
        // Where nobody said how many: a server of protocol v1 counts each of them as a client.
        let certain = setup.value.configuration.connections ?? 1
        let (foundMux, found) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        return await withTaskGroup(of: RunEnd.self) { group in
            for slot in 0..<certain {
                group.addTask { await self.keep(slot) { found.yield() } }
            }
            if certain < connections {
                group.addTask { await self.keep(certain..<connections, whenever: foundMux) }
                group.addTask {
                    await self.retirement.wait(beyond: 0, on: self.loops[0])
                    found.finish()
                    return .stopped
                }
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
        let target = target(0)
        if let proxy = target.proxy {
            logger.info("Dialling through a proxy", metadata: [.proxyAddress: "\(proxy.name)"])
        }
        if let ports = target.clientPorts, ports.count < connections {
            logger.warning(
                "Fewer client-ports than connections: some will not come up; name more ports, or set connections",
                metadata: [
                    .portCount: .stringConvertible(ports.count), .limit: .stringConvertible(connections),
                ])
        }
    }

    /// Keeps one session up: a new one as soon as the last has ended, or as soon as its server says it is leaving.
    ///
    /// - Parameter foundMux: called when a session speaks protocol v2.
    private func keep(_ slot: Int, foundMux: @Sendable () -> Void) async -> RunEnd {
        let eventLoop = loops[slot % loops.count]
        var backoff = ReconnectBackoff()
        var failures = 0
        var random = SystemRandomNumberGenerator()
        var complaint = RepeatedComplaint()
        var leaving = LeavingSessions()
        // In whose place the next session comes.
        var outdated: SessionLife?
        return await withDiscardingTaskGroup { group in
            while !Task.isCancelled, !isRetired {
                let started = ContinuousClock.now
                // Before the setup is looked at: a change that comes later calls for another try.
                let seen = retries.value
                let life = SessionLife(on: eventLoop, slot: slot)
                remember(life)
                let wait: Duration
                let dial = nextDial
                do {
                    try await open(slot, life, by: dial, on: eventLoop)
                    complaint.reset()
                    outdated.take()?.stop(in: Self.handover, on: eventLoop)
                    if dial.way == .longPoll {
                        // It may have been found out meanwhile that WebSockets get through.
                        if nextDial.way != .longPoll { life.giveWay() }
                        group.addTask { await self.tryWebSockets(on: eventLoop) }
                    }
                    failures = 0
                    group.addTask { await self.accompany(life) }
                    if life.version == .v2 {
                        foundMux()
                    } else if slot > 0, setup.value.configuration.connections == nil {
                        life.stop()
                        group.cancelAll()
                        return .stopped
                    }
                    await life.untilReleased()
                    leaving.add(life)
                    if life.givesWay {
                        outdated = life
                        continue
                    }
                    backoff.sessionEnded(after: .now - started)
                    backoff.longest = setup.value.configuration.longestRetryDelay
                    wait = backoff.next(using: &random)
                } catch {
                    let dialError = error as? DialError
                    let code = dialError?.errorCode ?? .unreachable
                    let message = words(for: error)
                    let isTold = dialFailed(dial, slot, dialError, message)
                    let isNews = complaint.note(message, isTold: isTold)
                    // Before anybody is told that it failed.
                    if !Task.isCancelled, !isRetired {
                        identity.dialFailed(code)
                        noteFault(code, message, count: complaint.count, since: complaint.since)
                    }
                    dialFailed(life, forWantOfRoom: dialError?.isForWantOfRoom ?? false)
                    guard !Task.isCancelled, !isRetired else { break }
                    let configuration = setup.value.configuration
                    let isRefusal = dialError?.isRefusal ?? false
                    backoff.longest = configuration.longestRetryDelay
                    wait =
                        isRefusal && !isDecidingOnTransport
                        ? backoff.afterRefusal(using: &random) : backoff.next(using: &random)
                    failures = hasSession ? 0 : failures + 1
                    if let most = configuration.maxRetries, failures >= most {
                        logger.error(
                            "Gave up: the tunnel server was not reached",
                            metadata: [.limit: .stringConvertible(most), .errorMessage: "\(message)"])
                        group.cancelAll()
                        return .gaveUp
                    }
                    complain(code, message, wait, complaint, isNews: slot == 0 && isNews)
                }
                await retries.wait(beyond: seen, atMost: wait, on: eventLoop)
            }
            return .stopped
        }
    }

    /// Opens a session when it is its turn.
    private func open(
        _ slot: Int, _ life: SessionLife, by dial: Dial, on eventLoop: any EventLoop
    ) async throws {
        let wait = pacer.turn()
        if wait > .zero {
            await retirement.wait(beyond: 0, atMost: wait, on: eventLoop)
            guard !Task.isCancelled, !isRetired else { throw CancellationError() }
        }
        let givesWay = passwordGivesWay.load(ordering: .relaxed)
        do {
            try await open(dialler(slot, dial, passwordGivesWay: givesWay), life, by: dial.way, on: eventLoop)
        } catch let error as DialError where error.status == 401 && hasTwoPasswords {
            do {
                try await open(
                    dialler(slot, dial, passwordGivesWay: !givesWay), life, by: dial.way, on: eventLoop)
            } catch let other as DialError where other.status == 401 && givesWay {
                // What stands before the server let the first one pass: its answer is the server's own.
                throw error
            }
            passwordGivesWay.store(!givesWay, ordering: .relaxed)
            logger.info(
                givesWay
                    ? "The token's password went in Authorization: what stands before the server does not ask for it"
                    : "The token's password went in X-Tunnel-Authorization: what stands before the server wants the other"
            )
        }
    }

    private func dialler(_ slot: Int, _ dial: Dial, passwordGivesWay: Bool) -> TunnelDialler {
        TunnelDialler(
            target(slot, by: dial.way, passwordGivesWay: passwordGivesWay),
            answerPatience: dial.patience, tellForeign: foreignAnswered)
    }

    /// Opens a session; gives up when the client is retired meanwhile.
    ///
    /// - Parameter takesRequests: whether the server may give it any.
    func open(
        _ dialler: TunnelDialler, _ life: SessionLife, by way: TransportChoice.Way,
        takesRequests: Bool = true, on eventLoop: any EventLoop
    ) async throws {
        let isOpen = try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                _ = try await dialler.dial(on: eventLoop) {
                    self.makeSession($0, life, by: way, takesRequests: takesRequests, eventLoop)
                }
                return true
            }
            group.addTask {
                await self.retirement.wait(beyond: 0, on: eventLoop)
                return false
            }
            var isOpen = false
            while let hasOpened = try await group.next() {
                if hasOpened { isOpen = true }
                group.cancelAll()
            }
            return isOpen
        }
        guard isOpen else { throw CancellationError() }
    }

    /// Waits for the end of a session.
    private func accompany(_ life: SessionLife) async {
        let end = await life.untilEnded()
        forget(life)
        identity.sessionEnded(end.code)
        sessionEnded(life, end)
        let fields: LogFields = [.errorCode: .code(end.code), .closeReason: "\(end.message)"]
        switch end {
        case .drained, .closedByUs: logger.info("Session ended", metadata: fields)
        default:
            // Of one whose place others have taken already nothing is missed.
            if !life.isLeaving { noteFault(end.code, masked(end.message)) }
            logger.warning("Session lost", metadata: fields)
        }
    }

    private func makeSession(
        _ version: ProtocolVersion, _ life: SessionLife, by way: TransportChoice.Way, takesRequests: Bool,
        _ eventLoop: any EventLoop
    ) -> any Session {
        let configuration = setup.value.configuration
        var limits = SessionLimits(keepaliveTimeout: configuration.timeout)
        if !takesRequests { limits.maximumStreams = 0 }
        let owner = ClientSession(
            setup: setup, identity: identity, limits: limits, eventLoop: eventLoop, life: life,
            logger: logger
        ) { self.sessionIsUp(life) }
        let session: any Session
        switch version {
        case .v1:
            session = MessageSession(
                role: .acceptor, limits: limits, peer: "unknown", budget: budget,
                numbering: nil, owner: owner, now: eventLoop.instant)
        case .v2:
            let settings = SessionSettings(
                maximumStreams: limits.maximumStreams, initialWindow: limits.minimumWindow,
                software: software, tunnelName: configuration.name,
                hosts: takesRequests ? identity.hosts.claims(configuration.hosts) : [],
                features: .rawStreams)
            session = MuxSession(
                role: .acceptor, limits: limits, settings: settings, budget: budget, owner: owner,
                now: eventLoop.instant)
        }
        life.began(SessionReference(session, eventLoop: eventLoop), version: version, way: way)
        // Who changed it before the session was known here could not tell the session.
        let timeout = setup.value.configuration.timeout
        if timeout != configuration.timeout { session.setKeepaliveTimeout(timeout) }
        return session
    }

    private func complain(
        _ code: ErrorCode, _ message: String, _ wait: Duration, _ complaint: RepeatedComplaint, isNews: Bool
    ) {
        var fields = Logger.Metadata([
            .tunnelURL: "\(Self.shown(setup.value.configuration.tunnel))",
            .errorCode: .code(code), .errorMessage: "\(message)",
            .retryDelayMilliseconds: .milliseconds(wait),
        ])
        if complaint.count > 1 {
            let since = LogTimestamp(millisecondsSince1970: Int64(complaint.since) * 1000)
            fields[.failureCount] = .stringConvertible(complaint.count)
            fields[.failureSince] = "\(since)"
        }
        logger.log(level: isNews ? .warning : .debug, "Cannot connect", metadata: fields)
    }
}
