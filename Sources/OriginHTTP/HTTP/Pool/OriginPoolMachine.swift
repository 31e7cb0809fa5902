import NIOCore

/// Decides which request has which connection of a pool: no I/O, no clock. Events go in by its methods, `nextAction` gives
/// what is to be done, `wakeUp` when it wants to hear of the time.
///
/// Requests that wait are served in the order in which they came. Idle connections are taken last in, first out, so that
/// those not needed grow old and are closed. A request for which a connection is made waits for that one; another that
/// becomes free meanwhile goes to those for which none can be made now, or which wait for room on one that is being made:
/// as long as the last connection carried many exchanges at a time, or none is known yet that may, the next is expected to.
struct OriginPoolMachine {
    /// A connection, or the attempt to make it. Its number is given out again when it is gone.
    struct ConnectionID: Hashable {
        let number: Int
    }

    /// A request that waits for a connection.
    typealias WaiterID = PoolWaiters.ID

    /// What a request asks of its connection.
    struct Needs {
        /// Whether it may be sent again if nothing comes back: then an idle connection is good for it that its origin may
        /// close in this moment.
        var isRepeatable: Bool
        /// Whether it must not go on a connection that is idle.
        var mustBeNew: Bool
    }

    /// What becomes of a request at once.
    enum Placement: Equatable {
        /// It has a place on this connection.
        case carry(ConnectionID)
        /// It waits; `carry` or `fail` comes as an action.
        case wait(WaiterID)
        /// Too many wait.
        case refuse
    }

    enum Action: Equatable {
        /// Begin an attempt: `connected` or `attemptFailed` comes in a later turn of the event loop.
        case connect(ConnectionID)
        /// Nobody wants what an attempt may bring: it need not go on.
        case abandon(ConnectionID)
        /// A request that waited has a place on this connection.
        case carry(ConnectionID, WaiterID)
        /// A request waits no more. Nil: its time is up.
        case fail(WaiterID, OriginError?)
        /// Nothing more goes on this connection; `closed` follows.
        case close(ConnectionID)
    }

    enum Connection {
        /// Being made, for a request unless it was withdrawn. Next: open, or gone.
        case connecting(for: WaiterID?)
        /// Carries so many exchanges, and may carry so many: none when it is to take no more. One that carries none is
        /// idle. Next: closing, or gone.
        case open(carried: Int, capacity: Int)
        /// About to be closed. It counts as one in use until then, if it was. Next: gone.
        case closing(isActive: Bool)
    }

    struct Idle {
        let id: ConnectionID
        let since: NIODeadline
    }

    /// A request that must not be repeated goes only on a connection that was in use this recently: servers close idle ones
    /// at any moment, and then nobody knows whether the request was run.
    static let freshness = TimeAmount.seconds(2)

    /// Between two looks whether the process may open a connection again.
    static let descriptorPause = TimeAmount.milliseconds(100)

    /// Connections in use, attempts included.
    var active = 0

    let options: HTTPOriginOptions
    let idleTimeout: TimeAmount
    var connections = SlotTable<Connection>()
    /// Unused connections, the one used last at the end.
    var idle: [Idle] = []
    /// Connections in use that can carry more: none where they carry one at a time.
    var roomy: [ConnectionID] = []
    var waiters = PoolWaiters()
    /// When to look again for a descriptor; only while requests are in line.
    var descriptorRetry: NIODeadline?
    var isRetired = false
    var actions = CircularBuffer<Action>()
    /// The actions by which somebody hears, who may do anything: the others come first.
    var failures = CircularBuffer<Action>()

    /// Attempts to connect that somebody waits for.
    var attempts = 0
    /// How many exchanges the next connection will carry at a time, as far as anybody knows: as many as the last one.
    var expectedCapacity: Int

    /// - Parameter expectedCapacity: of connections, before there was one.
    init(_ options: HTTPOriginOptions, expectedCapacity: Int = 1) {
        self.options = options
        self.expectedCapacity = expectedCapacity
        idleTimeout = TimeAmount(options.idleTimeout)
    }

    /// Unused connections.
    var idleCount: Int { idle.count }
    /// Requests that wait, be it in line or for a connection that is being made.
    var waitingCount: Int { waiters.count }

    /// When `timePassed` must be called at the latest; nil while nothing waits for a time.
    var wakeUp: NIODeadline? {
        var earliest = descriptorRetry
        if let deadline = waiters.earliestDeadline { earliest = min(earliest ?? deadline, deadline) }
        if let oldest = idle.first {
            let expiry = oldest.since + idleTimeout
            earliest = min(earliest ?? expiry, expiry)
        }
        return earliest
    }

    /// The same for who holds the machine in a class: to ask for a property that is worked out would copy all of it.
    mutating func nextWakeUp() -> NIODeadline? { wakeUp }

    /// The next thing to do; nil when there is nothing more.
    mutating func nextAction() -> Action? { actions.popFirst() ?? failures.popFirst() }

    // MARK: Requests

    /// A request wants a connection.
    mutating func requested(_ needs: Needs, now: NIODeadline) -> Placement {
        if let id = takeRoomy() { return .carry(id) }
        if active < options.activeConnections {
            if let id = takeIdle(needs, now: now) {
                if waiters.queued > 0 { fillRoom() }
                return .carry(id)
            }
            let waiter = addWaiter(needs, now: now)
            if waiters.queued < min(expectedRoom, options.waitingRequests) {
                waiters.enqueue(waiter)
            } else {
                connect(for: waiter)
            }
            return .wait(waiter)
        }
        guard waiters.queued < options.waitingRequests else { return .refuse }
        let waiter = addWaiter(needs, now: now)
        waiters.enqueue(waiter)
        return .wait(waiter)
    }

    /// A request that waited wants no connection any more. Nothing happens where it does not wait.
    mutating func withdrawn(_ id: WaiterID) {
        if let waiter = waiters.withdraw(id) { left(waiter) }
    }

    /// An exchange is over, and its place on the connection free.
    ///
    /// - Parameter isReusable: false when the connection can carry nothing more; it is closed once it carries nothing.
    mutating func exchangeEnded(on id: ConnectionID, isReusable: Bool, now: NIODeadline) {
        if !isReusable { takesNoMore(id) }
        guard case .open(let carried, let capacity)? = connections[id.number], carried > 0 else { return }
        guard capacity == 0 else { return offer(id, carried: carried - 1, capacity: capacity, now: now) }
        if carried > 1 {
            connections.replace(id.number, by: .open(carried: carried - 1, capacity: 0))
        } else {
            connections.replace(id.number, by: .closing(isActive: true))
            actions.append(.close(id))
        }
    }

    // MARK: Connections

    /// An attempt has brought a connection.
    ///
    /// - Parameter capacity: how many exchanges it carries at a time; at least 1.
    mutating func connected(_ id: ConnectionID, capacity: Int, now: NIODeadline) {
        guard case .connecting(let waiter)? = connections[id.number] else { return }
        expectedCapacity = capacity
        var carried = 0
        if let waiter {
            attempts -= 1
            carry(waiter, on: id)
            carried = 1
        }
        offer(id, carried: carried, capacity: capacity, now: now)
        startWaiting(now: now)
    }

    /// A connection carries so many exchanges at a time from now on, at least one.
    mutating func capacityChanged(of id: ConnectionID, to capacity: Int, now: NIODeadline) {
        guard case .open(let carried, let before)? = connections[id.number], before > 0, before != capacity
        else {
            return
        }
        expectedCapacity = capacity
        if carried == 0 {
            connections.replace(id.number, by: .open(carried: 0, capacity: capacity))
        } else {
            offer(id, carried: carried, capacity: capacity, now: now)
        }
        startWaiting(now: now)
    }

    /// An attempt has brought none.
    mutating func attemptFailed(_ id: ConnectionID, _ error: OriginError, now: NIODeadline) {
        guard case .connecting(let waiter)? = connections[id.number] else { return }
        connections.remove(id.number)
        if waiter != nil { attempts -= 1 }
        guard error.code == .noDescriptors else {
            if let waiter {
                fail(waiter, error)
                failWaiting(error)
            }
            release(now: now)
            return
        }
        active -= 1
        if let waiter { lacksDescriptor(waiter, error, now: now) }
        fillRoom()
        guard waiters.queued > 0 else { return }
        closeIdle()
        if descriptorRetry == nil { descriptorRetry = now + Self.descriptorPause }
    }

    /// A connection takes no more exchanges; one that is idle is closed, any other once it carries nothing.
    mutating func takesNoMore(_ id: ConnectionID) {
        guard case .open(let carried, _)? = connections[id.number] else { return }
        if carried == 0 {
            idle.removeAll { $0.id == id }
            close(id)
        } else {
            roomy.removeAll { $0 == id }
            connections.replace(id.number, by: .open(carried: carried, capacity: 0))
        }
    }

    /// A connection is gone, and with it what it carried.
    mutating func closed(_ id: ConnectionID, now: NIODeadline) {
        switch connections.remove(id.number) {
        case .open(0, _): idle.removeAll { $0.id == id }
        case .open:
            roomy.removeAll { $0 == id }
            release(now: now)
        case .closing(isActive: true): release(now: now)
        case .closing, .connecting, nil: break
        }
    }

    /// Closes what is idle, and from now on every connection that becomes so.
    mutating func retire() {
        isRetired = true
        closeIdle()
    }

    // MARK: Time

    /// It is so late.
    mutating func timePassed(now: NIODeadline) {
        while let (id, waiter) = waiters.popExpired(now: now) {
            left(waiter)
            failures.append(.fail(id, waiter.lack))
        }
        while let oldest = idle.first, oldest.since + idleTimeout <= now {
            idle.removeFirst()
            close(oldest.id)
        }
        if let retry = descriptorRetry, retry <= now {
            descriptorRetry = nil
            startNext(now: now)
        }
    }
}
