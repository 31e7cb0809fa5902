import NIOCore

/// The requests that wait for a connection of a pool: in line, or for one that is being made; and until when.
struct PoolWaiters {
    /// One of them. No number is given out twice.
    struct ID: Hashable {
        let number: Int
    }

    struct Waiter {
        enum Place {
            /// In line. Next: connecting.
            case queued
            /// Its connection is being made. Next: queued, when there was no descriptor for it.
            case connecting(OriginPoolMachine.ConnectionID)
        }

        let needs: OriginPoolMachine.Needs
        fileprivate(set) var place = Place.queued
        /// Why there was no connection yet.
        fileprivate(set) var lack: OriginError?
    }

    private struct Deadline {
        let id: ID
        let time: NIODeadline
    }

    /// Those that are gone stay in a line until their turn comes, or until they are so many and the greater part.
    private static let mostGone = 32

    private var waiters: [ID: Waiter] = [:]
    private var lastNumber = 0
    /// Those in line, and some that wait no more.
    private var line = CircularBuffer<ID>()
    /// In the order in which they came, some that wait no more among them.
    private var deadlines = CircularBuffer<Deadline>()
    /// How many are in line.
    private(set) var queued = 0

    var count: Int { waiters.count }

    /// When the time of the first is up.
    var earliestDeadline: NIODeadline? { deadlines.first?.time }

    subscript(id: ID) -> Waiter? { waiters[id] }

    /// Adds one that is not in line.
    ///
    /// - Parameter deadline: when its time is up; not before those of others.
    mutating func add(
        _ needs: OriginPoolMachine.Needs, until deadline: NIODeadline
    ) -> ID {
        lastNumber += 1
        let id = ID(number: lastNumber)
        waiters[id] = Waiter(needs: needs)
        deadlines.append(Deadline(id: id, time: deadline))
        return id
    }

    /// Puts one in line, behind all others.
    mutating func enqueue(_ id: ID) {
        line.append(id)
        queued += 1
    }

    /// Puts one whose connection could not be made in line: where it was, if it had been there for the same reason.
    mutating func enqueue(_ id: ID, forLackOf lack: OriginError) {
        let hasWaited = waiters[id]?.lack != nil
        waiters[id]?.lack = lack
        waiters[id]?.place = .queued
        if hasWaited { line.prepend(id) } else { line.append(id) }
        queued += 1
    }

    /// Its connection is being made.
    mutating func connects(_ id: ID, on connection: OriginPoolMachine.ConnectionID) {
        waiters[id]?.place = .connecting(connection)
    }

    /// Takes the one that has been longest in line out of it; it still waits.
    mutating func popFirst() -> ID? {
        while let id = line.popFirst() {
            guard waiters[id] != nil else { continue }
            queued -= 1
            return id
        }
        return nil
    }

    /// It waits no more, and is not in line.
    mutating func served(_ id: ID) {
        waiters[id] = nil
        trimDeadlines()
    }

    /// It does not want to wait any more.
    ///
    /// - Returns: nil when it did not wait.
    mutating func withdraw(_ id: ID) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        trimDeadlines()
        guard case .queued = waiter.place else { return waiter }
        queued -= 1
        if line.count > Self.mostGone, line.count > queued * 2 { line.removeAll { waiters[$0] == nil } }
        return waiter
    }

    /// Takes out one whose time is up.
    mutating func popExpired(now: NIODeadline) -> (id: ID, waiter: Waiter)? {
        while let first = deadlines.first, first.time <= now {
            deadlines.removeFirst()
            if let waiter = withdraw(first.id) { return (first.id, waiter) }
        }
        return nil
    }

    private mutating func trimDeadlines() {
        while let first = deadlines.first, waiters[first.id] == nil { deadlines.removeFirst() }
        guard deadlines.count > Self.mostGone, deadlines.count > waiters.count * 2 else { return }
        deadlines.removeAll { waiters[$0.id] == nil }
    }
}
