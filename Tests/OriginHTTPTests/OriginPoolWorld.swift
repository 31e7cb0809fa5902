import NIOCore
import TestSupport
import Testing

@testable import OriginHTTP

/// Connections and requests as `OriginPoolMachine` is told of them: carries out its actions, and sees that each makes sense.
struct OriginPoolWorld {
    private struct Request {
        let needs: OriginPoolMachine.Needs
        let deadline: NIODeadline
        var hasLacked = false
    }

    private struct Connection {
        var carried: Int
        var capacity: Int
        var idleSince: NIODeadline?
    }

    private typealias ID = OriginPoolMachine.ConnectionID
    private typealias WaiterID = OriginPoolMachine.WaiterID

    static let options = HTTPOriginOptions(
        connectTimeout: .seconds(3), idleTimeout: .seconds(10), idleConnections: 2, activeConnections: 3,
        waitingRequests: 3)

    private let manyAtATime: Int
    private var machine = OriginPoolMachine(options)
    private var random: SplitMix64
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    /// Attempts under way, with the request for which each was begun.
    private var attempts: [ID: WaiterID?] = [:]
    private var open: [ID: Connection] = [:]
    /// Connections that are to be closed, and whether they count as in use.
    private var closing: [ID: Bool] = [:]
    private var requests: [WaiterID: Request] = [:]
    /// Those for which no attempt is under way, in the order in which they are to be served.
    private var line: [WaiterID] = []
    private(set) var served = 0
    private(set) var failed = 0

    /// - Parameter manyAtATime: what some of the connections carry.
    init(seed: UInt64, manyAtATime: Int) {
        random = SplitMix64(seed: seed)
        self.manyAtATime = manyAtATime
    }

    private var inUse: Int {
        attempts.count + open.values.count { $0.carried > 0 } + closing.values.count { $0 }
    }

    // MARK: What happens

    mutating func step() {
        switch Int.random(in: 0..<15, using: &random) {
        case 0...3: request()
        case 4...6: endAttempt()
        case 7...9: endExchange(isReusable: random.next() % 4 > 0)
        case 10: withdraw()
        case 11: loseConnection()
        case 12: refuseMore()
        case 13: changeCapacity()
        default: pass(.milliseconds(Int64.random(in: 0...2000, using: &random)))
        }
        check()
    }

    /// Ends all that is under way, and lets so much time pass that nothing can be left.
    mutating func end() {
        machine.retire()
        carryOut()
        while !attempts.isEmpty || !open.isEmpty || !closing.isEmpty || !requests.isEmpty {
            while !attempts.isEmpty { endAttempt() }
            while open.values.contains(where: { $0.carried > 0 }) { endExchange(isReusable: false) }
            while !open.isEmpty || !closing.isEmpty { loseConnection() }
            pass(.seconds(1))
        }
        check()
        #expect(machine.wakeUp == nil && machine.active == 0 && machine.idleCount == 0)
    }

    private mutating func request() {
        let needs = OriginPoolMachine.Needs(
            isRepeatable: random.next() % 2 == 0, mustBeNew: random.next() % 8 == 0)
        let wasFull = inUse >= Self.options.activeConnections
        let hadRoom = open.values.contains { $0.carried > 0 && $0.carried < $0.capacity }
        switch machine.requested(needs, now: now) {
        case .carry(let id):
            carry(id)
            served += 1
        case .wait(let id):
            #expect(requests[id] == nil && !hadRoom)
            requests[id] = Request(
                needs: needs, deadline: now + TimeAmount(Self.options.connectTimeout))
            if case .connect(let connection)? = machine.nextAction() {
                #expect(line.count >= min(roomOfAttempts, Self.options.waitingRequests))
                begin(connection, for: id)
            } else {
                #expect(wasFull || line.count < roomOfAttempts)
                line.append(id)
            }
        case .refuse:
            #expect(wasFull && line.count == Self.options.waitingRequests)
        }
        carryOut()
    }

    private mutating func endAttempt() {
        guard let (id, waiter) = attempts.randomElement(using: &random) else { return }
        attempts[id] = nil
        switch Int.random(in: 0..<4, using: &random) {
        case 0...1:
            let capacity = random.next() % 2 == 0 ? 1 : manyAtATime
            open[id] = Connection(carried: 0, capacity: capacity)
            machine.connected(id, capacity: capacity, now: now)
            carryOut(own: (id, waiter))
            if open[id]?.carried == 0 { open[id]?.idleSince = now }
        case 2:
            machine.attemptFailed(id, OriginError(.noDescriptors, "none"), now: now)
            carryOut(lacking: waiter)
            if let waiter, requests[waiter] != nil { queueForLack(waiter) }
        default:
            machine.attemptFailed(id, OriginError(.refused, "no"), now: now)
            carryOut(failing: waiter)
            if let waiter { #expect(requests[waiter] == nil) }
        }
    }

    private mutating func endExchange(isReusable: Bool) {
        let candidates = open.filter { $0.value.carried > 0 }
        guard let (id, connection) = candidates.randomElement(using: &random) else { return }
        open[id]?.carried -= 1
        if !isReusable { open[id]?.capacity = 0 }
        let isLast = connection.carried == 1
        if isLast, isReusable, connection.capacity > 0 { open[id]?.idleSince = now }
        machine.exchangeEnded(on: id, isReusable: isReusable, now: now)
        if isLast, !isReusable || connection.capacity == 0 {
            open[id] = nil
            closing[id] = true
            #expect(machine.nextAction() == .close(id))
        }
        carryOut()
    }

    private mutating func withdraw() {
        guard let (id, _) = requests.randomElement(using: &random) else { return }
        requests[id] = nil
        line.removeAll { $0 == id }
        disown(id)
        machine.withdrawn(id)
        carryOut()
    }

    private mutating func loseConnection() {
        let ids = Array(open.keys) + Array(closing.keys)
        guard let id = ids.randomElement(using: &random) else { return }
        open[id] = nil
        closing[id] = nil
        machine.closed(id, now: now)
        carryOut()
    }

    private mutating func refuseMore() {
        guard let id = open.keys.randomElement(using: &random) else { return }
        open[id]?.capacity = 0
        machine.takesNoMore(id)
        carryOut()
    }

    private mutating func changeCapacity() {
        guard manyAtATime > 1, let id = open.keys.randomElement(using: &random) else { return }
        let capacity = Int.random(in: 1...manyAtATime, using: &random)
        if open[id]?.capacity != 0 { open[id]?.capacity = capacity }
        machine.capacityChanged(of: id, to: capacity, now: now)
        carryOut()
    }

    private mutating func pass(_ time: TimeAmount) {
        let end = now + time
        while let next = machine.wakeUp, next <= end {
            now = max(now, next)
            machine.timePassed(now: now)
            let late = requests.filter { $0.value.deadline <= now }.keys.sorted { $0.number < $1.number }
            for id in late {
                line.removeAll { $0 == id }
                disown(id)
            }
            carryOut()
            for (_, request) in requests { #expect(request.deadline > now) }
            check()
        }
        now = end
    }

    // MARK: What the machine wants

    /// - Parameters:
    ///   - own: a connection that has just been made, and the request for which it was.
    ///   - failing: the request whose attempt has failed.
    ///   - lacking: the same, for lack of descriptors.
    private mutating func carryOut(
        own: (ID, WaiterID?)? = nil, failing: WaiterID? = nil, lacking: WaiterID? = nil
    ) {
        while let action = machine.nextAction() {
            switch action {
            case .connect(let id):
                guard !line.isEmpty else {
                    Issue.record("an attempt for nobody")
                    continue
                }
                begin(id, for: line.removeFirst())
            case .abandon(let id):
                #expect(attempts[id] == .some(nil), "an attempt that somebody waits for is given up")
            case .carry(let id, let waiter):
                if own?.0 == id && own?.1 == waiter || lacking == waiter {
                    #expect(!line.contains(waiter))
                } else {
                    #expect(line.first == waiter, "in the order in which they came")
                    line.removeAll { $0 == waiter }
                }
                #expect(requests.removeValue(forKey: waiter) != nil, "served once")
                carry(id)
                served += 1
            case .fail(let waiter, _):
                let request = requests.removeValue(forKey: waiter)
                #expect(request != nil, "failed once")
                let isLate = (request?.deadline ?? .distantFuture) <= now
                let isTooMany = lacking == waiter && line.count == Self.options.waitingRequests
                let sharesFate = failing != nil && machine.expectedCapacity > 1 && line.contains(waiter)
                #expect(failing == waiter || isLate || isTooMany || sharesFate)
                line.removeAll { $0 == waiter }
                failed += 1
            case .close(let id):
                #expect(open.removeValue(forKey: id)?.carried == 0, "only what carries nothing is closed")
                closing[id] = false
            }
        }
    }

    private mutating func begin(_ id: ID, for waiter: WaiterID) {
        #expect(attempts[id] == nil && open[id] == nil && closing[id] == nil)
        attempts[id] = .some(waiter)
        #expect(inUse <= Self.options.activeConnections)
    }

    private mutating func carry(_ id: ID) {
        guard let connection = open[id], connection.carried < connection.capacity else {
            Issue.record("no room on the connection")
            return
        }
        open[id]?.carried += 1
        open[id]?.idleSince = nil
        #expect(inUse <= Self.options.activeConnections)
    }

    /// The attempt that was begun for this request is for another one, or for nobody.
    private mutating func disown(_ waiter: WaiterID) {
        for (id, owner) in attempts where owner == waiter {
            let isShared = machine.expectedCapacity > 1 && !line.isEmpty
            attempts[id] = .some(isShared ? line.removeFirst() : nil)
        }
    }

    /// How many of those in line wait for room on connections that are being made.
    private var roomOfAttempts: Int { attempts.values.count { $0 != nil } * (machine.expectedCapacity - 1) }

    /// Its attempt failed for lack of descriptors, and there is no connection for it.
    private mutating func queueForLack(_ waiter: WaiterID) {
        let hasLacked = requests[waiter]?.hasLacked == true
        requests[waiter]?.hasLacked = true
        if hasLacked { line.insert(waiter, at: 0) } else { line.append(waiter) }
    }

    // MARK: What must hold

    private func check() {
        #expect(machine.active == inUse)
        #expect(inUse <= Self.options.activeConnections)
        let idle = open.values.filter { $0.carried == 0 }
        #expect(machine.idleCount == idle.count && idle.count <= Self.options.idleConnections)
        #expect(machine.waitingCount == requests.count)
        #expect(line.count <= Self.options.waitingRequests)
        // Beside those in line.
        if !line.isEmpty {
            #expect(!open.values.contains { $0.carried > 0 && $0.carried < $0.capacity })
            #expect(idle.isEmpty || inUse == Self.options.activeConnections || roomOfAttempts > 0)
        }
        // Somebody will hear of what they wait for.
        let times =
            requests.values.map(\.deadline)
            + idle.compactMap { $0.idleSince.map { $0 + TimeAmount(Self.options.idleTimeout) } }
        if line.isEmpty {
            #expect(machine.wakeUp == times.min())
        } else {
            #expect((machine.wakeUp ?? .distantFuture) <= times.min() ?? .distantFuture)
            let isWatched = (machine.wakeUp ?? .distantFuture) <= now + OriginPoolMachine.descriptorPause
            #expect(inUse == Self.options.activeConnections || !attempts.isEmpty || isWatched)
        }
    }
}

struct OriginPoolRandomTests {
    @Test(arguments: [1, 3], 0..<20) func whateverHappensTheRulesHold(manyAtATime: Int, round: Int) {
        let seed = UInt64.random(in: 0 ... .max)
        var world = OriginPoolWorld(seed: seed, manyAtATime: manyAtATime)
        for _ in 0..<1000 { world.step() }
        world.end()
        #expect(world.served > 20 && world.failed > 5, "seed \(seed)")
    }
}
