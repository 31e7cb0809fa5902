import NIOCore

/// Decides which request has which connection of a pool: no I/O, no clock. Events go in by its methods, `nextAction` gives
/// what is to be done, `wakeUp` when it wants to hear of the time.
///
/// Requests that wait are served in the order in which they came. Idle connections are taken last in, first out, so that
/// those not needed grow old and are closed. A request for which a connection is made waits for that one; another that
/// becomes free meanwhile goes to those for which none can be made now.
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

    private enum Connection {
        /// Being made, for a request unless it was withdrawn. Next: open, or gone.
        case connecting(for: WaiterID?)
        /// Carries so many exchanges, and may carry so many: none when it is to take no more. One that carries none is
        /// idle. Next: closing, or gone.
        case open(carried: Int, capacity: Int)
        /// About to be closed. It counts as one in use until then, if it was. Next: gone.
        case closing(isActive: Bool)
    }

    private struct Idle {
        let id: ConnectionID
        let since: NIODeadline
    }

    /// A request that must not be repeated goes only on a connection that was in use this recently: servers close idle ones
    /// at any moment, and then nobody knows whether the request was run.
    static let freshness = TimeAmount.seconds(2)

    /// Between two looks whether the process may open a connection again.
    static let descriptorPause = TimeAmount.milliseconds(100)

    /// Connections in use, attempts included.
    private(set) var active = 0

    private let options: HTTPOriginOptions
    private let idleTimeout: TimeAmount
    private var connections = SlotTable<Connection>()
    /// Unused connections, the one used last at the end.
    private var idle: [Idle] = []
    /// Connections in use that can carry more: none where they carry one at a time.
    private var roomy: [ConnectionID] = []
    private var waiters = PoolWaiters()
    /// When to look again for a descriptor; only while requests are in line.
    private var descriptorRetry: NIODeadline?
    private var isRetired = false
    private var actions = CircularBuffer<Action>()
    /// The actions by which somebody hears, who may do anything: the others come first.
    private var failures = CircularBuffer<Action>()

    init(_ options: HTTPOriginOptions) {
        self.options = options
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
            if let id = takeIdle(needs, now: now) { return .carry(id) }
            let waiter = addWaiter(needs, now: now)
            connect(for: waiter)
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
        var carried = 0
        if let waiter {
            carry(waiter, on: id)
            carried = 1
        }
        offer(id, carried: carried, capacity: capacity, now: now)
        startNext(now: now)
    }

    /// An attempt has brought none.
    mutating func attemptFailed(_ id: ConnectionID, _ error: OriginError, now: NIODeadline) {
        guard case .connecting(let waiter)? = connections[id.number] else { return }
        connections.remove(id.number)
        guard error.code == .noDescriptors else {
            release(now: now)
            if let waiter { fail(waiter, error) }
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

// MARK: - Who gets what

extension OriginPoolMachine {
    private mutating func takeRoomy() -> ConnectionID? {
        guard let id = roomy.last, case .open(let carried, let capacity)? = connections[id.number] else {
            return nil
        }
        connections.replace(id.number, by: .open(carried: carried + 1, capacity: capacity))
        if carried + 1 == capacity { roomy.removeLast() }
        return id
    }

    private mutating func takeIdle(_ needs: Needs, now: NIODeadline) -> ConnectionID? {
        guard !needs.mustBeNew, let last = idle.last,
            needs.isRepeatable || last.since + Self.freshness >= now,
            case .open(_, let capacity)? = connections[last.id.number]
        else { return nil }
        idle.removeLast()
        active += 1
        connections.replace(last.id.number, by: .open(carried: 1, capacity: capacity))
        if capacity > 1 { roomy.append(last.id) }
        return last.id
    }

    /// A connection in use has room: those in line have it first.
    private mutating func offer(_ id: ConnectionID, carried: Int, capacity: Int, now: NIODeadline) {
        let wasRoomy = capacity > 1 && roomy.contains(id)
        var carried = carried
        while carried < capacity, let waiter = nextQueued() {
            carry(waiter, on: id)
            carried += 1
        }
        connections.replace(id.number, by: .open(carried: carried, capacity: capacity))
        let isRoomy = carried > 0 && carried < capacity
        if wasRoomy, !isRoomy { roomy.removeAll { $0 == id } }
        if isRoomy, !wasRoomy { roomy.append(id) }
        if carried == 0 { rest(id, now: now) }
    }

    /// A connection carries nothing, and nobody waits for it.
    private mutating func rest(_ id: ConnectionID, now: NIODeadline) {
        active -= 1
        guard !isRetired else { return close(id) }
        idle.append(Idle(id: id, since: now))
        if idle.count > options.idleConnections { close(idle.removeFirst().id) }
    }

    /// One that is idle, and in the list of those no more.
    private mutating func close(_ id: ConnectionID) {
        connections.replace(id.number, by: .closing(isActive: false))
        actions.append(.close(id))
    }

    private mutating func closeIdle() {
        let unused = idle
        idle = []
        for connection in unused { close(connection.id) }
    }

    /// One connection less is in use: the next requests in line may have one.
    private mutating func release(now: NIODeadline) {
        active -= 1
        // Where descriptors are short there is room for one, not for all.
        while startNext(now: now), descriptorRetry == nil {}
    }

    /// - Returns: whether there was a request in line, and room for it.
    @discardableResult
    private mutating func startNext(now: NIODeadline) -> Bool {
        guard active < options.activeConnections, let id = nextQueued(), let waiter = waiters[id] else {
            return false
        }
        if let connection = takeIdle(waiter.needs, now: now) {
            carry(id, on: connection)
            fillRoom()
        } else {
            connect(for: id)
        }
        return true
    }

    /// Requests in line have what room there is on connections in use.
    private mutating func fillRoom() {
        while waiters.queued > 0, let connection = takeRoomy(), let id = nextQueued() {
            carry(id, on: connection)
        }
    }

    /// No connection can be opened now: the request takes one that has become free meanwhile, or else waits for one of ours
    /// that is in use, or for others to close theirs, as long as it may take to connect.
    private mutating func lacksDescriptor(_ id: WaiterID, _ error: OriginError, now: NIODeadline) {
        guard let waiter = waiters[id] else { return }
        if let connection = takeRoomy() ?? takeIdle(waiter.needs, now: now) {
            carry(id, on: connection)
        } else if waiters.queued < options.waitingRequests {
            waiters.enqueue(id, forLackOf: error)
        } else {
            fail(id, error)
        }
    }

    private mutating func connect(for waiter: WaiterID) {
        active += 1
        let id = ConnectionID(number: connections.insert(.connecting(for: waiter)))
        waiters.connects(waiter, on: id)
        actions.append(.connect(id))
    }

    // MARK: Those who wait

    private mutating func addWaiter(_ needs: Needs, now: NIODeadline) -> WaiterID {
        waiters.add(needs, until: now + TimeAmount(options.connectTimeout))
    }

    private mutating func carry(_ waiter: WaiterID, on id: ConnectionID) {
        waiters.served(waiter)
        actions.append(.carry(id, waiter))
    }

    private mutating func fail(_ waiter: WaiterID, _ error: OriginError) {
        waiters.served(waiter)
        failures.append(.fail(waiter, error))
    }

    /// One of them waits no more, and got nothing.
    private mutating func left(_ waiter: PoolWaiters.Waiter) {
        switch waiter.place {
        case .connecting(let connection):
            connections.replace(connection.number, by: .connecting(for: nil))
            actions.append(.abandon(connection))
        case .queued:
            if waiters.queued == 0 { descriptorRetry = nil }
        }
    }

    /// The request that has been in line longest, which it is no more.
    private mutating func nextQueued() -> WaiterID? {
        guard let id = waiters.popFirst() else { return nil }
        if waiters.queued == 0 { descriptorRetry = nil }
        return id
    }
}
