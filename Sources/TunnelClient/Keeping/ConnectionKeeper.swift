import AgentStatus
import NIOCore
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// Keeps one session of a tunnel up: a new one as soon as the last has ended, or as soon as its server says it is leaving.
///
/// It has a task while it dials, and none while it waits or its session is up: there are thousands of tunnels, and a task
/// that waits some calls deep holds ten kilobytes.
final class ConnectionKeeper: Sendable {
    private static let handover: TimeAmount = .seconds(1)

    private enum Phase {
        /// For the time of the next try, or until it may dial again.
        case waiting(AlarmClock.Alarm?)
        /// For its turn among all tunnels of the process, with what is going to be dialled.
        case queueing(SessionLife, AlarmClock.Alarm)
        case dialling(Task<Void, Never>)
        case up(since: ContinuousClock.Instant)
        /// It dials no more.
        case over
    }

    private struct State {
        var phase = Phase.waiting(nil)
        /// Whether what it has is to finish.
        var isStopped = false
        /// Whether somebody has asked for another try since the last began.
        var isCalled = false
        var end = TunnelClient.RunEnd.stopped
        var isEndTold = false
        /// Sessions that have not ended.
        var sessions = 0
        /// While the tunnel goes by long polling, looks whether WebSockets get through.
        var trial: Task<Void, Never>?
        var backoff = ReconnectBackoff()
        var failures = 0
        var complaint = RepeatedComplaint()
        var leaving = LeavingSessions()
        /// In whose place the next session comes.
        var outdated: SessionLife?

        /// Whether the end is to be told now.
        mutating func takesEnd() -> Bool {
            guard case .over = phase, sessions == 0, trial == nil, !isEndTold else { return false }
            isEndTold = true
            return true
        }
    }

    let slot: Int
    private let client: TunnelClient
    private let eventLoop: any EventLoop
    private let state = Mutex(State())

    init(_ slot: Int, of client: TunnelClient) {
        self.slot = slot
        self.client = client
        eventLoop = client.loops[slot % client.loops.count]
    }

    // MARK: What it is told

    /// Begins to dial.
    func begin() { proceed() }

    /// Dials at once if it waits to try again, and right after the try that is under way if that comes to nothing.
    func call() {
        state.withLock { $0.isCalled = true }
        proceed()
    }

    /// Gives up what it dials: the client may not, for now.
    func halt() {
        let dialling = state.withLock { state -> Task<Void, Never>? in
            if case .dialling(let task) = state.phase { task } else { nil }
        }
        dialling?.cancel()
    }

    /// Dials no more; what it has stays until it is released.
    func retire() {
        let (dialling, queued, isOver) = state.withLock { state -> (Task<Void, Never>?, SessionLife?, Bool) in
            var queued: SessionLife?
            switch state.phase {
            case .waiting(let alarm): alarm?.cancel()
            case .queueing(let life, let alarm):
                alarm.cancel()
                queued = life
            case .dialling(let task): return (task, nil, false)
            case .up, .over: return (nil, nil, false)
            }
            state.phase = .over
            return (nil, queued, state.takesEnd())
        }
        dialling?.cancel()
        if let queued { client.dialFailed(queued, forWantOfRoom: false) }
        if isOver { tellEnd() }
    }

    /// Dials no more, and has what it has finish.
    func stop() {
        let trial = state.withLock { state in
            state.isStopped = true
            return state.trial
        }
        trial?.cancel()
        retire()
        for life in client.lives where life.slot == slot { life.stop() }
    }

    // MARK: Dialling

    /// Goes on where it waits for something that may have come.
    private func proceed() {
        let isOver = state.withLock { state in
            guard case .waiting(let alarm) = state.phase else { return false }
            alarm?.cancel()
            if state.isStopped || client.isRetired {
                state.phase = .over
            } else if client.isPaused {
                state.phase = .waiting(nil)
            } else {
                state.isCalled = false
                let life = SessionLife(on: eventLoop, slot: slot)
                // Others that find no room wait for what comes of it.
                client.remember(life)
                let wait = client.pacer.turn()
                if wait > .zero {
                    let alarm = AlarmClock.of(eventLoop).set(after: wait) { self.turnHasCome() }
                    state.phase = .queueing(life, alarm)
                } else {
                    state.phase = .dialling(dialling(life))
                }
            }
            return state.takesEnd()
        }
        if isOver { tellEnd() }
    }

    private func turnHasCome() {
        let unwanted = state.withLock { state -> SessionLife? in
            guard case .queueing(let life, _) = state.phase else { return nil }
            guard !state.isStopped, !client.isRetired, !client.isPaused else {
                state.phase = .waiting(nil)
                return life
            }
            state.phase = .dialling(dialling(life))
            return nil
        }
        guard let unwanted else { return }
        client.dialFailed(unwanted, forWantOfRoom: false)
        proceed()
    }

    /// Below what obeys signals: else they wait until a hundred thousand that dial have had their turn.
    private func dialling(_ life: SessionLife) -> Task<Void, Never> {
        Task.detached(priority: .utility) { await self.dial(life) }
    }

    private func dial(_ life: SessionLife) async {
        let begin = ContinuousClock.now
        let dial = client.nextDial
        do {
            try await client.open(slot, life, by: dial, on: eventLoop)
            opened(life, by: dial, since: begin)
        } catch {
            failed(life, by: dial, error)
        }
    }

    private func opened(
        _ life: SessionLife, by dial: TunnelClient.Dial, since begin: ContinuousClock.Instant
    ) {
        // A server of protocol v1 counts each of several as a client.
        let isOneTooMany = life.version == .v1 && slot > 0 && client.choosesConnections
        let (outdated, isStopped) = state.withLock { state in
            state.complaint.reset()
            state.failures = 0
            state.sessions += 1
            state.phase = isOneTooMany ? .over : .up(since: begin)
            return (state.outdated.take(), state.isStopped)
        }
        outdated?.stop(in: Self.handover, on: eventLoop)
        if dial.way == .longPoll {
            // It may have been found out meanwhile that WebSockets get through.
            if client.nextDial.way != .longPoll { life.giveWay() }
            beginTrial()
        }
        life.whenEnded { end in
            // Thousands may end at once, and this writes to the log.
            Task.detached(priority: .utility) { self.ended(life, end) }
        }
        if isStopped || isOneTooMany { life.stop() }
        client.found(life.version, by: self)
        life.whenReleased { self.released(life) }
    }

    private func failed(_ life: SessionLife, by dial: TunnelClient.Dial, _ error: any Error) {
        guard !client.isPaused, !(error is CancellationError) else {
            // It has said nothing of the server.
            client.dialFailed(life, forWantOfRoom: false)
            return wait(for: .zero)
        }
        let dialError = error as? DialError
        let failure = TunnelClient.DialFailure(
            code: dialError?.errorCode ?? .unreachable, message: client.words(for: error))
        let isTold = client.dialFailed(dial, slot, dialError, failure.message)
        let isWanted = !client.isRetired && !state.withLock { $0.isStopped }
        let (isNews, complaint) = state.withLock { state in
            (state.complaint.note(failure.message, isTold: isTold), state.complaint)
        }
        // Before anybody is told that it failed.
        if isWanted { client.noteFailedDial(failure, complaint) }
        client.dialFailed(life, forWantOfRoom: dialError?.isForWantOfRoom ?? false)
        guard isWanted else { return wait(for: .zero) }
        let isRefusal = dialError?.isRefusal ?? false
        let (pause, failures) = nextWait(
            isRefused: isRefusal && !client.isDecidingOnTransport, countsFailure: !client.hasSession)
        if let most = client.setup.part({ $0.configuration.maxRetries }), failures >= most {
            client.tellThatItGaveUp(after: most, failure)
            giveUp()
        } else {
            client.complain(
                failure, pause, complaint, isNews: slot == 0 && isNews,
                as: isRefusal ? .handshakeRefused : .dialFailed)
            wait(for: pause)
        }
    }

    private func nextWait(isRefused: Bool, countsFailure: Bool) -> (wait: Duration, failures: Int) {
        let longest = client.setup.part { $0.configuration.longestRetryDelay }
        return state.withLock { state in
            var random = SystemRandomNumberGenerator()
            state.backoff.longest = longest
            state.failures = countsFailure ? state.failures + 1 : 0
            let wait =
                isRefused ? state.backoff.afterRefusal(using: &random) : state.backoff.next(using: &random)
            return (wait, state.failures)
        }
    }

    private func giveUp() {
        state.withLock { state in
            state.end = .gaveUp
            state.phase = .over
        }
        stop()
        if state.withLock({ $0.takesEnd() }) { tellEnd() }
    }

    /// Tries again after a time, or sooner when it is called: the last try, or its session, is done with.
    private func wait(for pause: Duration) {
        let isAtOnce = state.withLock { state in
            if case .over = state.phase { return false }
            let isAtOnce = pause <= .zero || state.isCalled || state.isStopped || client.isRetired
            state.phase = .waiting(
                isAtOnce ? nil : AlarmClock.of(eventLoop).set(after: pause) { self.proceed() })
            return isAtOnce
        }
        if isAtOnce { proceed() }
    }

    // MARK: What happens to its sessions

    /// The session takes no more requests: another is to take its place.
    private func released(_ life: SessionLife) {
        let longest = client.setup.part { $0.configuration.longestRetryDelay }
        let next = state.withLock { state -> (tooMany: SessionLife?, pause: Duration)? in
            guard case .up(let begin) = state.phase else { return nil }
            let tooMany = state.leaving.add(life)
            guard !life.givesWay else {
                state.outdated = life
                return (tooMany, .zero)
            }
            var random = SystemRandomNumberGenerator()
            state.backoff.sessionEnded(after: .now - begin)
            state.backoff.longest = longest
            return (tooMany, state.backoff.next(using: &random))
        }
        guard let next else { return }
        next.tooMany?.close()
        wait(for: next.pause)
    }

    private func ended(_ life: SessionLife, _ end: SessionEnd) {
        client.tellEnd(of: life, end)
        let isOver = state.withLock { state in
            state.sessions -= 1
            return state.takesEnd()
        }
        if isOver { tellEnd() }
    }

    private func tellEnd() { client.keeperEnded(self, state.withLock { $0.end }) }

    private func beginTrial() {
        state.withLock { state in
            guard state.trial == nil, !state.isStopped else { return }
            state.trial = Task.detached(priority: .utility) {
                await self.client.tryWebSockets(on: self.eventLoop)
                self.trialEnded()
            }
        }
    }

    private func trialEnded() {
        let isOver = state.withLock { state in
            state.trial = nil
            return state.takesEnd()
        }
        if isOver { tellEnd() }
    }
}
