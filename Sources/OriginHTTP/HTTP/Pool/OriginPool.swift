import NIOCore

/// The connections from one event loop to one HTTP server. Used on that loop alone. `OriginPoolMachine` decides.
final class OriginPool {
    typealias ConnectionID = OriginPoolMachine.ConnectionID
    typealias WaiterID = OriginPoolMachine.WaiterID

    /// Starts an attempt; it ends in a later turn of the loop, with a usable connection or the reason why not.
    typealias Connect = (
        _ completion: @escaping (Result<any PooledConnection, OriginError>) -> Void
    ) -> ConnectAttempt

    /// What becomes of an exchange that wants a channel.
    enum Placement {
        case channel(any OriginChannel)
        /// The pool keeps the exchange, and calls `attach` or `failed` in a later turn, unless it is withdrawn.
        case waiting(WaiterID)
        case refused(OriginError)
    }

    private enum Link {
        case attempt(ConnectAttempt)
        case connection(any PooledConnection)
    }

    let address: OriginAddress
    let eventLoop: any EventLoop
    private let connect: Connect
    private let makeHTTP1: (() -> OriginPool)?
    private var madeHTTP1: OriginPool?
    private var isRetired = false
    private var machine: OriginPoolMachine
    /// By the number of a connection.
    private var links: [Link?] = []
    private var waiters: [WaiterID: HTTPExchange] = [:]
    /// The one timer, while it runs, and for when it is set.
    private var alarm: Scheduled<Void>?
    private var alarmTime = NIODeadline.distantFuture
    private var isAtWork = false

    /// - Parameters:
    ///   - mayCarryMany: whether connections may turn out to carry many exchanges at a time.
    ///   - makeHTTP1: makes the pool for what goes over HTTP/1.1 alone; nil where connections speak but one version.
    init(
        address: OriginAddress, options: HTTPOriginOptions, eventLoop: any EventLoop,
        mayCarryMany: Bool = false,
        makeHTTP1: (() -> OriginPool)? = nil, connect: @escaping Connect
    ) {
        self.address = address
        self.eventLoop = eventLoop
        self.makeHTTP1 = makeHTTP1
        self.connect = connect
        machine = OriginPoolMachine(
            options, expectedCapacity: mayCarryMany ? HTTP2OriginSettings.mostStreams : 1)
    }

    /// Of the connections that a connector makes.
    convenience init(_ connector: OriginConnector) {
        var http1: (() -> OriginPool)?
        if connector.versions == .automatic {
            var plain = connector
            plain.versions = .http1
            http1 = { OriginPool(plain) }
        }
        self.init(
            address: connector.address, options: connector.options, eventLoop: connector.eventLoop,
            mayCarryMany: connector.versions != .http1, makeHTTP1: http1, connect: connector.connect)
    }

    /// Connections to the same origin that speak HTTP/1.1 for sure; nil where it may be that it does not.
    var http1: OriginPool? {
        guard madeHTTP1 == nil, let makeHTTP1 else { return madeHTTP1 }
        let pool = makeHTTP1()
        if isRetired { pool.retire() }
        madeHTTP1 = pool
        return pool
    }

    /// Connections that carry an exchange, and attempts to connect.
    var active: Int { machine.active }
    /// Unused connections.
    var idleCount: Int { machine.idleCount }

    /// All of them, those for what goes over HTTP/1.1 alone included.
    var connections: OriginConnections {
        var all = madeHTTP1?.connections ?? OriginConnections()
        all.busy += machine.active
        all.idle += machine.idleCount
        all.waiting += machine.waitingCount
        return all
    }

    // MARK: What exchanges do

    /// Finds a channel for an exchange.
    func place(_ exchange: HTTPExchange, _ needs: OriginPoolMachine.Needs) -> Placement {
        switch machine.requested(needs, now: eventLoop.now) {
        case .carry(let id):
            if case .connection(let connection)? = links[id.number] {
                return .channel(connection.makeChannel())
            }
            preconditionFailure("the pool's machine gives out connections that are there")
        case .wait(let id):
            waiters[id] = exchange
            work()
            return .waiting(id)
        case .refuse:
            return .refused(
                OriginError(.tooBusy, "too many requests for \(address.place) at once"))
        }
    }

    /// An exchange that waits wants no channel any more.
    func withdraw(_ id: WaiterID) {
        waiters[id] = nil
        machine.withdrawn(id)
        work()
    }

    // MARK: What connections do

    /// The exchange on a connection is over.
    func exchangeEnded(on id: ConnectionID, isReusable: Bool) {
        machine.exchangeEnded(on: id, isReusable: isReusable, now: eventLoop.now)
        work()
    }

    /// A connection carries so many exchanges at a time from now on, at least one.
    func capacityChanged(of id: ConnectionID, to capacity: Int) {
        machine.capacityChanged(of: id, to: capacity, now: eventLoop.now)
        work()
    }

    /// A connection takes no more exchanges.
    func takesNoMore(_ id: ConnectionID) {
        machine.takesNoMore(id)
        work()
    }

    /// A connection is gone; the exchange on it hears of it from the connection.
    func closed(_ id: ConnectionID) {
        links[id.number] = nil
        machine.closed(id, now: eventLoop.now)
        work()
    }

    // MARK: -

    /// Closes what is idle, and from now on every connection that becomes so.
    func retire() {
        isRetired = true
        madeHTTP1?.retire()
        machine.retire()
        work()
        // Nothing of the pool is to stay with the loop.
        guard machine.nextWakeUp() == nil else { return }
        alarm?.cancel()
        alarm = nil
        alarmTime = .distantFuture
    }

    /// Closes what is idle.
    func closeIdle() {
        madeHTTP1?.closeIdle()
        machine.closeIdle()
        work()
    }

    private func attemptEnded(_ id: ConnectionID, _ result: Result<any PooledConnection, OriginError>) {
        switch result {
        case .success(let connection):
            links[id.number] = .connection(connection)
            connection.joined(self, as: id)
            machine.connected(id, capacity: connection.capacity, now: eventLoop.now)
        case .failure(let error):
            links[id.number] = nil
            machine.attemptFailed(id, error, now: eventLoop.now)
        }
        work()
    }

    /// Carries out what the machine wants; what that brings about comes behind it.
    private func work() {
        guard !isAtWork else { return }
        isAtWork = true
        while let action = machine.nextAction() { carryOut(action) }
        isAtWork = false
        setAlarm()
    }

    private func carryOut(_ action: OriginPoolMachine.Action) {
        switch action {
        case .connect(let id):
            while links.count <= id.number { links.append(nil) }
            links[id.number] = .attempt(connect { self.attemptEnded(id, $0) })
        case .abandon(let id):
            if case .attempt(let attempt)? = links[id.number] { attempt.abandon() }
        case .carry(let id, let waiter):
            guard case .connection(let connection)? = links[id.number] else { return }
            if let exchange = waiters.removeValue(forKey: waiter) {
                exchange.attach(to: connection.makeChannel())
            } else {
                machine.exchangeEnded(on: id, isReusable: true, now: eventLoop.now)
            }
        case .fail(let waiter, let error):
            let late = OriginError(.timedOut, "no connection to \(address.place) in time")
            waiters.removeValue(forKey: waiter)?.failed(error ?? late)
        case .close(let id):
            if case .connection(let connection)? = links[id.number] { connection.close() }
        }
    }

    /// One timer for all that waits for a time. One that is early does no harm, and finds nothing to do.
    private func setAlarm() {
        guard let time = machine.nextWakeUp(), time < alarmTime else { return }
        alarm?.cancel()
        alarmTime = time
        alarm = eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            self.alarm = nil
            self.alarmTime = .distantFuture
            self.machine.timePassed(now: self.eventLoop.now)
            self.work()
        }
    }
}
