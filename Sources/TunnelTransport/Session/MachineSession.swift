import HostSystem
package import NIOCore
package import TunnelProtocol

/// A session by the machine that speaks its protocol; `Session` tells of what it is asked.
package final class MachineSession<Machine: SessionMachine>: Session, TurnEnder {
    /// What is written before the event loop looks at its sockets again: what comes meanwhile waits for it.
    private static var flushBudget: Int { 512 << 10 }
    /// What an event costs beyond its frame, in units of `TurnAllowance`.
    private static var eventWork: Int { 12 }
    /// How long the end that does not close first waits for the other to do so.
    private static var closePatience: TimeAmount { .seconds(10) }
    /// How long a peer may take to send its settings.
    static var settingsPatience: TimeAmount { .seconds(10) }

    package let role: SessionRole
    package let longestMessage: Int
    package let pulse = SessionPulse()
    // What other modules may read of a class is looked at for conflicts whenever it is: so these two are read here.
    package var state: SessionState { phase }
    package var isHeld: Bool {
        get { holds }
        set { holds = newValue }
    }
    private var phase = SessionState.opening
    private var holds = false
    var machine: Machine
    var receivers = StreamTable<any StreamReceiver>()
    /// Where messages go that would hold up others; nil in protocol v2, in which there are none.
    var spilling: SessionSpilling?
    /// Let go when the session is over, as the carrier is.
    private var owner: (any SessionOwner)?
    private(set) var carrier: (any SessionCarrier)?
    /// Known when the carrier is open, as its clock is.
    private var eventLoop: NIOIsolatedEventLoop?
    private var clock: (any EventLoop)?
    private var turns: LoopTurns?
    /// Where it is ticked from, since then.
    private var seat: KeepaliveWheel.Seat?
    private var progress = PeerProgress()
    /// How long the peer may take nothing of what waits for it.
    private var patience: Duration
    /// Ends a session whose peer does not say who it is in time.
    private var settingsTimer: Scheduled<Void>?
    /// Ends a drained session that its peer does not close.
    private var closing: Scheduled<Void>?
    /// Whether the message ends with the piece that the machine is not through with; nil when it is through.
    private var pieceIsLast: Bool?
    private var isReceiving = false
    /// When that began, which is now for all that it brings about.
    private var receivedAt = MonotonicInstant.now
    private var wasOccupied = false
    private var isFlushScheduled = false
    private var isFlushing = false
    /// Whether there was more to write than is written at once.
    private var willFlushOn = false

    /// - Parameters:
    ///   - longestMessage: that the peer may send, in bytes.
    ///   - owner: kept until the session is over.
    init(
        _ machine: Machine, role: SessionRole, limits: SessionLimits, longestMessage: Int,
        owner: any SessionOwner
    ) {
        self.machine = machine
        self.role = role
        self.longestMessage = longestMessage
        self.owner = owner
        patience = limits.keepaliveTimeout
    }

    private var isOver: Bool { phase == .over }
    var now: MonotonicInstant { isReceiving ? receivedAt : clock?.instant ?? .now }

    // MARK: From the carrier

    package func carrierOpened(_ carrier: any SessionCarrier, on eventLoop: any EventLoop) {
        guard !isOver else { return carrier.close(after: .closedByUs) }
        guard self.carrier == nil else { return }
        self.carrier = carrier
        self.eventLoop = eventLoop.assumeIsolated()
        clock = eventLoop
        turns = LoopTurns.of(eventLoop)
        seat = KeepaliveWheel.of(eventLoop).seat { [weak self] in self?.tick() }
        flush()
        tick()
        if phase == .opening {
            settingsTimer = end(
                in: Self.settingsPatience, .peerMisbehaved("it did not say who it is in time"))
        }
    }

    package func beginsToReceive(now: MonotonicInstant) {
        isReceiving = true
        receivedAt = now
        pulse.beat(now)
    }

    package var isBlocked: Bool { machine.isBlocked }

    package var hasPiece: Bool { pieceIsLast != nil }

    package func received(
        _ bytes: ByteBuffer, endsMessage: Bool, now: MonotonicInstant, work: inout Int
    ) {
        machine.receive(bytes, now: now)
        pieceIsLast = endsMessage
        goOn(now: now, work: &work)
    }

    package func goOn(now: MonotonicInstant, work: inout Int) {
        guard let pieceIsLast else { return }
        let answeredPings = machine.answeredPings
        dispatchEvents(now: now, work: &work)
        if machine.answeredPings != answeredPings { tellAnswered(after: machine.roundTrip) }
        guard work > 0, !isOver else { return }
        self.pieceIsLast = nil
        guard pieceIsLast else { return }
        do {
            try machine.messageEnded()
        } catch {
            return end(.peerMisbehaved("\(error)"))
        }
        dispatchEvents(now: now, work: &work)
    }

    package func hasReceived() {
        isReceiving = false
        flush()
    }

    package func heard(now: MonotonicInstant) { machine.heard(now: now) }

    package func wasAnswered(now: MonotonicInstant) {
        machine.heard(now: now)
        tellAnswered()
    }

    package func becameWritable() { flush() }

    package func stopBlocking() { machine.stopBlocking() }

    package func carrierEnded(_ end: SessionEnd, isUntouched: Bool) {
        let hasLeft = (machine.isDraining || machine.isPeerDraining) && machine.streamCount == 0
        if case .closedByPeer = end, hasLeft {
            self.end(.drained)
        } else {
            self.end(end, isUntouched: isUntouched)
        }
    }

    // MARK: From the owner

    package func drain(reason: String) {
        machine.drain(reason: reason, now: now)
        scheduleFlush()
    }

    package func setKeepaliveTimeout(_ timeout: Duration) {
        guard !isOver else { return }
        machine.setKeepaliveTimeout(timeout, now: now)
        patience = SessionLimits(keepaliveTimeout: timeout).keepaliveTimeout
        // The tick was set for the old timeout; before there is a carrier that comes by itself.
        if carrier != nil { tick() }
    }

    package func probe(within patience: TimeAmount) {
        guard !isOver, machine.canProbe, let eventLoop else { return }
        let asked = now
        machine.sendPing(now: asked)
        flush()
        lookAtProgress(now: asked)
        eventLoop.scheduleTask(in: patience) {
            self.lookAtProgress(now: self.now)
            if self.machine.lastHeard <= asked { self.end(.peerSilent) }
        }
    }

    package func close() { end(.closedByUs) }
    package func turnAway() { end(.turnedAway) }

    // MARK: From its messages in files

    func tellSpillFailure(_ reason: String) { owner?.sessionCannotSpill(self, reason: reason) }

    // MARK: Events

    private func dispatchEvents(now: MonotonicInstant, work: inout Int) {
        do {
            while !isOver, let event = try machine.nextEvent(now: now, work: &work) {
                work -= Self.eventWork
                dispatch(event)
            }
        } catch {
            end(.peerMisbehaved("\(error)"))
        }
    }

    private func dispatch(_ event: consuming SessionEvent) {
        switch consume event {
        case .ready(let settings):
            settingsTimer?.cancel()
            phase = .ready
            owner?.sessionReady(self, peer: settings)
            // A peer of protocol v1 knows of the session since the handshake.
            if settings.version == .v1 { serves() }
        case .request(let id, let head, let isLast):
            owner?.session(self, opened: id, head: head, isLast: isLast)
        case .response(let id, let head, let isInterim, let isLast, let time):
            receivers[id]?.streamReceived(head: head, isInterim: isInterim, isLast: isLast, originTime: time)
        case .data(let id, let bytes, let isLast):
            receivers[id]?.streamReceived(data: bytes, isLast: isLast)
        case .trailers(let id, let fields):
            receivers[id]?.streamReceived(trailers: fields)
        case .reset(let id, let end, let reason):
            spilling?.senderLetGo(of: id)
            receivers.removeValue(forKey: id)?.streamWasReset(end, reason: reason)
        case .writable(let id):
            if spilling?.becameWritable(id) != true { receivers[id]?.streamBecameWritable() }
        case .overflowed(let id, let direction):
            if let eventLoop { spilling?.overflowed(id, direction, on: eventLoop.nonisolated()) }
        case .progressWanted(let id):
            receivers[id]?.streamReportsProgress()
        case .peerDraining(let reason):
            owner?.sessionPeerDrains(self, reason: reason)
        case .hostsRuled(let rulings):
            owner?.session(self, ruledOn: rulings)
        }
    }

    private func tellAnswered(after roundTrip: Duration? = nil) {
        if let roundTrip { owner?.session(self, measured: roundTrip) }
        owner?.sessionWasAnswered(self)
        serves()
    }

    private func serves() {
        guard phase == .ready else { return }
        phase = .serving
        owner?.sessionServes(self)
    }

    private func tellOccupation(_ isOccupied: Bool) {
        guard isOccupied != wasOccupied else { return }
        wasOccupied.toggle()
        owner?.session(self, becameOccupied: wasOccupied)
    }

    // MARK: Writing

    /// Whether a flush comes by itself.
    var awaitsFlush: Bool { isReceiving || isFlushScheduled }

    /// Writes go out once per turn of the event loop, so that frames of many streams share a message.
    func scheduleFlush() {
        guard !isReceiving, !isFlushScheduled, !isOver, let turns else { return }
        isFlushScheduled = true
        turns.end.tell(self)
    }

    package func turnEnds() {
        isFlushScheduled = false
        flush()
    }

    private func flush() {
        guard phase < .closing, !isFlushing, let carrier else { return }
        if holds, !machine.isBlocked { carrier.resume() }
        isFlushing = true
        writeMessages(to: carrier)
        isFlushing = false
        var work = 0
        dispatchEvents(now: now, work: &work)
        guard !isOver else { return }
        let standing = machine.standing()
        tellOccupation(standing.isOccupied)
        if let urgent = standing.urgentTick { seat?.move(to: urgent, ifSooner: true) }
        if standing.isDrained { drained() }
    }

    /// Writes until there is nothing more, the carrier takes no more, or it is enough for now.
    private func writeMessages(to carrier: any SessionCarrier) {
        var left = Self.flushBudget
        while !isOver, machine.hasSomethingToWrite, carrier.isWritable {
            guard left > 0 else { return flushOn() }
            var hasWritten = false
            repeat {
                var piece = carrier.makePiece()
                guard let output = machine.write(to: &piece.buffer, budget: carrier.pieceBytes) else { break }
                left -= piece.buffer.readableBytes
                carrier.write(piece, as: output)
                hasWritten = true
            } while left > 0 && machine.hasSomethingToWrite && carrier.isWritable
            guard hasWritten else { return }
            carrier.flush()
        }
    }

    /// A task for at once would run before sockets are looked at. Under load they call for a flush before this does.
    private func flushOn() {
        guard !willFlushOn else { return }
        willFlushOn = true
        eventLoop?.scheduleTask(in: .milliseconds(1)) {
            self.willFlushOn = false
            self.flush()
        }
    }

    // MARK: Time

    private func tick() {
        guard !isOver else { return }
        // Not when something was received last: a watchdog looks at the clock.
        let now = clock?.instant ?? .now
        lookAtProgress(now: now)
        guard !isOver else { return }
        guard let next = machine.tick(now: now) else { return end(.peerSilent) }
        seat?.move(to: next)
        flush()
    }

    /// What the network has been rid of is a sign of life, and what it is never rid of the contrary.
    private func lookAtProgress(now: MonotonicInstant) {
        guard let network = carrier?.progress else { return }
        let finding = progress.observe(
            acknowledged: network.acknowledged, waiting: network.waiting,
            hasMore: machine.hasSomethingToWrite, now: now)
        switch finding {
        case .nothingWaits: break
        case .moving: machine.heard(now: now)
        case .standing(let time):
            // A peer of protocol v1 may have to stop reading while one of its readers is in the way.
            if machine.canProbe, time >= patience { end(.peerStuck) }
        }
    }

    private func end(in time: TimeAmount, _ end: SessionEnd) -> Scheduled<Void>? {
        eventLoop?.scheduleTask(in: time) { self.end(end) }
    }

    // MARK: The end

    /// One end closes, the other waits for it, as its last answers may still be on their way: a connection that is
    /// closed with bytes to come is reset, and they would be lost.
    private func drained() {
        guard closing == nil else { return }
        if machine.closesWhenDrained {
            guard role == .acceptor else { return end(.drained) }
            carrier?.closeOutput()
            phase = .closing
        }
        closing = end(in: Self.closePatience, .drained)
    }

    /// - Parameter isUntouched: whether the peer has looked at none of the streams that are open.
    private func end(_ end: SessionEnd, isUntouched: Bool = false) {
        guard !isOver else { return }
        phase = .over
        seat?.leave()
        settingsTimer?.cancel()
        closing?.cancel()
        carrier.take()?.close(after: end)
        owner.take()?.sessionEnded(self, end)
        spilling?.sessionEnded()
        let lost = receivers
        receivers = StreamTable()
        let untouched = machine.untouchedStreams
        for (id, receiver) in zip(lost.keys, lost.values) {
            let isRefused = isUntouched || untouched.contains(id)
            receiver.streamWasReset(isRefused ? .refused : .sessionLost, reason: end.message)
        }
        machine.close()
    }
}

extension SessionMachine {
    /// What there may be to do when something was written, asked at once.
    fileprivate mutating func standing() -> (
        isOccupied: Bool, urgentTick: MonotonicInstant?, isDrained: Bool
    ) {
        (isOccupied, urgentTick, isDrained)
    }
}
