import NIOCore

// Who gets what.
extension OriginPoolMachine {
    mutating func takeRoomy() -> ConnectionID? {
        guard let id = roomy.last, case .open(let carried, let capacity)? = connections[id.number] else {
            return nil
        }
        connections.replace(id.number, by: .open(carried: carried + 1, capacity: capacity))
        if carried + 1 == capacity { roomy.removeLast() }
        return id
    }

    mutating func takeIdle(_ needs: Needs, now: NIODeadline) -> ConnectionID? {
        guard !needs.mustBeNew, let last = idle.last,
            case .open(_, let capacity)? = connections[last.id.number],
            // One that carries many is told before it ends which requests were not looked at.
            needs.isRepeatable || capacity > 1 || last.since + Self.freshness >= now
        else { return nil }
        idle.removeLast()
        active += 1
        connections.replace(last.id.number, by: .open(carried: 1, capacity: capacity))
        if capacity > 1 { roomy.append(last.id) }
        return last.id
    }

    /// A connection in use has room: those in line have it first.
    mutating func offer(_ id: ConnectionID, carried: Int, capacity: Int, now: NIODeadline) {
        let wasRoomy = !roomy.isEmpty && roomy.contains(id)
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
    mutating func rest(_ id: ConnectionID, now: NIODeadline) {
        active -= 1
        guard !isRetired else { return close(id) }
        idle.append(Idle(id: id, since: now))
        if idle.count > options.idleConnections { close(idle.removeFirst().id) }
    }

    /// One that is idle, and in the list of those no more.
    mutating func close(_ id: ConnectionID) {
        connections.replace(id.number, by: .closing(isActive: false))
        actions.append(.close(id))
    }

    mutating func closeIdle() {
        let unused = idle
        idle = []
        for connection in unused { close(connection.id) }
    }

    /// One connection less is in use: the next requests in line may have one.
    mutating func release(now: NIODeadline) {
        active -= 1
        startWaiting(now: now)
    }

    /// - Returns: whether there was a request in line, and room for it.
    @discardableResult
    mutating func startNext(now: NIODeadline) -> Bool {
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

    /// How many of those in line will have room on connections that are being made.
    var expectedRoom: Int { attempts * (expectedCapacity - 1) }

    /// Requests in line have connections made for them, but for those that will have room on others. Where descriptors are
    /// short there is one for one, not for all.
    mutating func startWaiting(now: NIODeadline) {
        while waiters.queued > expectedRoom, startNext(now: now), descriptorRetry == nil {}
    }

    /// An attempt has failed, and those in line that it had room for share its fate.
    mutating func failWaiting(_ error: OriginError) {
        guard expectedCapacity > 1, active < options.activeConnections else { return }
        while waiters.queued > expectedRoom, let id = nextQueued() { fail(id, error) }
    }

    /// Requests in line have what room there is on connections in use.
    mutating func fillRoom() {
        while waiters.queued > 0, let connection = takeRoomy(), let id = nextQueued() {
            carry(id, on: connection)
        }
    }

    /// No connection can be opened now: the request takes one that has become free meanwhile, or else waits for one of ours
    /// that is in use, or for others to close theirs, as long as it may take to connect.
    mutating func lacksDescriptor(_ id: WaiterID, _ error: OriginError, now: NIODeadline) {
        guard let waiter = waiters[id] else { return }
        if let connection = takeRoomy() ?? takeIdle(waiter.needs, now: now) {
            carry(id, on: connection)
        } else if waiters.queued < options.waitingRequests {
            waiters.enqueue(id, forLackOf: error)
        } else {
            fail(id, error)
        }
    }

    mutating func connect(for waiter: WaiterID) {
        active += 1
        attempts += 1
        let id = ConnectionID(number: connections.insert(.connecting(for: waiter)))
        waiters.connects(waiter, on: id)
        actions.append(.connect(id))
    }

    // MARK: Those who wait

    mutating func addWaiter(_ needs: Needs, now: NIODeadline) -> WaiterID {
        waiters.add(needs, until: now + TimeAmount(options.connectTimeout))
    }

    mutating func carry(_ waiter: WaiterID, on id: ConnectionID) {
        waiters.served(waiter)
        actions.append(.carry(id, waiter))
    }

    mutating func fail(_ waiter: WaiterID, _ error: OriginError) {
        waiters.served(waiter)
        failures.append(.fail(waiter, error))
    }

    /// One of them waits no more, and got nothing.
    mutating func left(_ waiter: PoolWaiters.Waiter) {
        switch waiter.place {
        case .connecting(let connection):
            if expectedCapacity > 1, let next = nextQueued() {
                // Another one waits for it.
                waiters.connects(next, on: connection)
                return connections.replace(connection.number, by: .connecting(for: next))
            }
            attempts -= 1
            connections.replace(connection.number, by: .connecting(for: nil))
            actions.append(.abandon(connection))
        case .queued:
            if waiters.queued == 0 { descriptorRetry = nil }
        }
    }

    /// The request that has been in line longest, which it is no more.
    mutating func nextQueued() -> WaiterID? {
        guard let id = waiters.popFirst() else { return nil }
        if waiters.queued == 0 { descriptorRetry = nil }
        return id
    }
}
