import NIOCore

/// The connections from one event loop to one HTTP server. Used on that loop alone.
///
/// Idle connections are taken last in, first out, so that those not needed grow old and are closed. Requests
/// beyond the limit of connections wait in order.
final class OriginPool {
    /// A request that must not be repeated goes only on a connection that was in use this recently: servers
    /// close idle ones at any moment, and then nobody knows whether the request was run.
    static let freshness = TimeAmount.seconds(2)

    /// Between two looks whether the process may open a connection again.
    private static let descriptorPause = TimeAmount.milliseconds(100)

    /// Starts an attempt; it ends in a later turn of the loop, with a usable connection or the reason why not.
    typealias Connect = (
        _ pool: OriginPool, _ completion: @escaping (Result<OriginConnection, OriginError>) -> Void
    ) -> ConnectAttempt

    let address: OriginAddress
    let options: HTTPOriginOptions
    let eventLoop: any EventLoop

    /// Connections that carry an exchange, and attempts to connect.
    private(set) var active = 0
    /// Unused connections, the one used last at the end.
    private(set) var idle: [OriginConnection] = []

    private let connect: Connect
    /// Those that were withdrawn stay until their turn comes, or until they are the greater part.
    private var waiting = CircularBuffer<HTTPExchange>()
    private var withdrawn = 0
    private var idleTimer: Scheduled<Void>?
    /// Runs while requests wait for a descriptor.
    private var descriptorTimer: Scheduled<Void>?
    /// Whether no connection is kept for a later exchange.
    private var isRetired = false

    init(
        address: OriginAddress, options: HTTPOriginOptions, eventLoop: any EventLoop,
        connect: @escaping Connect
    ) {
        self.address = address
        self.options = options
        self.eventLoop = eventLoop
        self.connect = connect
    }

    /// Finds a connection for an exchange that waits. Its receiver is not called before this returns.
    func submit(_ exchange: HTTPExchange) {
        if active < options.activeConnections {
            start(exchange)
        } else if hasRoomToWait {
            exchange.startConnectTimer()
            exchange.isQueued = true
            waiting.append(exchange)
        } else {
            let error = OriginError(.tooBusy, "too many requests for \(address.hostAndPort) at once")
            eventLoop.assumeIsolated().execute { exchange.failed(error) }
        }
    }

    private var hasRoomToWait: Bool { waiting.count - withdrawn < options.waitingRequests }

    /// The exchange no longer wants a connection.
    func withdraw(_ exchange: HTTPExchange) {
        exchange.attempt?.abandon()
        exchange.attempt = nil
        guard exchange.isQueued else { return }
        exchange.isQueued = false
        withdrawn += 1
        guard withdrawn > 32, withdrawn * 2 > waiting.count else { return }
        waiting.removeAll { !$0.isQueued }
        withdrawn = 0
    }

    /// The request that has waited longest.
    private func nextWaiting() -> HTTPExchange? {
        while let exchange = waiting.popFirst() {
            if exchange.isQueued {
                exchange.isQueued = false
                return exchange
            }
            withdrawn -= 1
        }
        return nil
    }

    /// A connection finished its exchange and can carry another.
    func takeBack(_ connection: OriginConnection) {
        if let exchange = nextWaiting() { return connection.carry(exchange) }
        active -= 1
        connection.isActive = false
        guard !isRetired else { return connection.close() }
        connection.idleSince = eventLoop.now
        idle.append(connection)
        if idle.count > options.idleConnections { idle.removeFirst().close() }
        startIdleTimer()
    }

    /// Closes what is idle, and from now on every connection that becomes so.
    func retire() {
        isRetired = true
        closeIdle()
    }

    private func closeIdle() {
        idleTimer?.cancel()
        idleTimer = nil
        let unused = idle
        idle = []
        for connection in unused { connection.close() }
    }

    /// A connection is gone. It was idle or in use; the exchange on it hears of it from the connection.
    func closed(_ connection: OriginConnection) {
        if let index = idle.firstIndex(where: { $0 === connection }) {
            idle.remove(at: index)
        } else if connection.isActive {
            connection.isActive = false
            release()
        }
    }

    private func start(_ exchange: HTTPExchange) {
        guard let connection = takeIdle(for: exchange) else { return connect(for: exchange) }
        active += 1
        connection.isActive = true
        connection.carry(exchange)
    }

    private func takeIdle(for exchange: HTTPExchange) -> OriginConnection? {
        guard !exchange.isRepetition else { return nil }
        while let connection = idle.last {
            let isFresh = connection.idleSince + Self.freshness >= eventLoop.now
            guard isFresh || exchange.request.isRepeatable else { return nil }
            idle.removeLast()
            if connection.isUsable { return connection }
        }
        return nil
    }

    private func connect(for exchange: HTTPExchange) {
        active += 1
        exchange.startConnectTimer()
        exchange.attempt = connect(self) { result in
            switch result {
            case .success(let connection):
                connection.isActive = true
                exchange.isWaiting ? connection.carry(exchange) : self.takeBack(connection)
                self.startNext()
            case .failure(let error):
                guard error.code == .noDescriptors else {
                    self.release()
                    return exchange.failed(error)
                }
                self.active -= 1
                self.tryLater()
                guard exchange.isWaiting, self.hasRoomToWait else { return exchange.failed(error) }
                self.waitForDescriptor(exchange, error)
            }
        }
    }

    /// One connection less is active: the next request in the queue may have one.
    private func release() {
        active -= 1
        // Where descriptors are short there is room for one, not for all.
        while startNext(), descriptorTimer == nil {}
    }

    /// - Returns: whether there was a request that waited, and room for it.
    @discardableResult
    private func startNext() -> Bool {
        guard active < options.activeConnections, let exchange = nextWaiting() else { return false }
        start(exchange)
        return true
    }

    /// No connection can be opened now: the request waits for one of ours that is in use, or for others to close theirs,
    /// as long as it may take to connect. One that has waited already keeps its place.
    private func waitForDescriptor(_ exchange: HTTPExchange, _ error: OriginError) {
        let hasWaited = exchange.lack != nil
        exchange.lack = error
        exchange.attempt = nil
        exchange.isQueued = true
        if hasWaited { waiting.prepend(exchange) } else { waiting.append(exchange) }
        closeIdle()
    }

    /// One may be free a little later.
    private func tryLater() {
        guard descriptorTimer == nil else { return }
        descriptorTimer = eventLoop.assumeIsolated().scheduleTask(in: Self.descriptorPause) {
            self.descriptorTimer = nil
            self.startNext()
        }
    }

    /// One timer for all: the first is the oldest.
    private func startIdleTimer() {
        guard idleTimer == nil, let oldest = idle.first else { return }
        let deadline = oldest.idleSince + TimeAmount(options.idleTimeout)
        idleTimer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.idleTimer = nil
            self.closeExpired()
            self.startIdleTimer()
        }
    }

    private func closeExpired() {
        let limit = eventLoop.now - TimeAmount(options.idleTimeout)
        let expired = idle.prefix { $0.idleSince <= limit }
        idle.removeFirst(expired.count)
        for connection in expired { connection.close() }
    }
}
