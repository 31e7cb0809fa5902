package import NIOCore

/// How many look-ups there may be, and how long their results count.
package struct LookUpLimits: Sendable {
    /// Look-ups at once: each holds a thread, for half a minute where a name server is silent.
    package var places: Int
    /// Of those, for names of one zone.
    package var placesPerZone: Int
    /// Names that wait for a place.
    package var waiting: Int
    /// Names that are known, looked up or waiting; those known give way.
    package var names: Int
    /// How long addresses are taken to be right.
    package var lifetime: TimeAmount
    /// How long a name is taken to have none: who mends it should not have to wait.
    package var failureLifetime: TimeAmount
    /// A zone that took longer has one place until it answers sooner.
    package var slow: TimeAmount

    package init(
        places: Int, placesPerZone: Int, waiting: Int = 1024, names: Int = 4096,
        lifetime: TimeAmount = .seconds(5),
        failureLifetime: TimeAmount = .seconds(1), slow: TimeAmount = .seconds(2)
    ) {
        self.places = places
        self.placesPerZone = placesPerZone
        self.waiting = waiting
        self.names = names
        self.lifetime = lifetime
        self.failureLifetime = failureLifetime
        self.slow = slow
    }
}

/// What came of a look-up.
package enum LookUpOutcome<Answer: Sendable>: Sendable {
    case found(Answer)
    /// There is nothing under the name, or nobody says.
    case nothing
    /// So many names wait that this one had to give way.
    case crowded
}

/// Which names are looked up, which wait for it, and which are known.
///
/// A name is looked up once however many ask for it, and not at all when nobody waits for it any more. What is given out are
/// places: of names in one zone only a few have one, so that name servers that do not answer hold up their own zone.
/// Those that wait take turns by zone, and when there are too many of them the longest line loses its end.
struct LookUpTable<Answer: Sendable, Waiter: Sendable>: Sendable {
    /// What is to be done after an event.
    struct Actions: Sendable {
        /// Whom to tell what.
        var answers: [(waiter: Waiter, outcome: LookUpOutcome<Answer>)] = []
        /// Names to look up now; the end of each is to be told with `ended`.
        var starts: [String] = []
    }

    private enum Phase: Sendable {
        case waiting
        case running(since: NIODeadline)
        case known(Answer?, until: NIODeadline)
    }

    private struct Entry: Sendable {
        var phase: Phase
        let zone: String
        var waiters: [UInt64: Waiter] = [:]
    }

    private let limits: LookUpLimits
    private var entries: [String: Entry] = [:]
    private var lastNumber: UInt64 = 0
    private var running = 0
    private var runningIn: [String: Int] = [:]
    /// The names that wait, by zone.
    private var lines: [String: [String]] = [:]
    /// The zones with such names, the one whose turn it is first.
    private var turns: [String] = []
    private var waiting = 0
    private var slowZones: Set<String> = []

    init(limits: LookUpLimits) { self.limits = limits }

    /// Somebody wants to know.
    ///
    /// - Returns: a number to withdraw by, and what is to be done.
    mutating func ask(
        _ name: String, in zone: String, _ waiter: Waiter, at now: NIODeadline
    ) -> (number: UInt64, actions: Actions) {
        lastNumber += 1
        switch entries[name]?.phase {
        case .known(let answer, let until)? where now < until:
            return (lastNumber, Actions(answers: [(waiter, Self.outcome(answer))]))
        case .waiting?, .running?:
            entries[name]?.waiters[lastNumber] = waiter
            return (lastNumber, Actions())
        case .known?, nil:
            entries[name] = Entry(phase: .waiting, zone: zone, waiters: [lastNumber: waiter])
        }
        lines[zone, default: []].append(name)
        if lines[zone]?.count == 1 { turns.append(zone) }
        waiting += 1
        var actions = Actions(starts: takePlaces(at: now))
        if waiting > limits.waiting { actions.answers = dropLast() }
        return (lastNumber, actions)
    }

    /// One of those who asked does not wait any more. A look-up under way goes on.
    mutating func withdraw(_ number: UInt64, from name: String) {
        guard let zone = entries[name]?.zone, entries[name]?.waiters.removeValue(forKey: number) != nil,
            entries[name]?.waiters.isEmpty == true, case .waiting? = entries[name]?.phase
        else { return }
        entries[name] = nil
        leaveLine(of: zone) { line in line.firstIndex(of: name).map { line.remove(at: $0) } }
    }

    /// A look-up came to an end.
    ///
    /// - Parameter answer: nil when there is none.
    mutating func ended(_ name: String, _ answer: Answer?, at now: NIODeadline) -> Actions {
        guard let entry = entries[name], case .running(let since) = entry.phase else { return Actions() }
        running -= 1
        let rest = runningIn[entry.zone, default: 1] - 1
        runningIn[entry.zone] = rest > 0 ? rest : nil
        noteSpeed(of: entry.zone, now - since)
        keep(name, answer, entry.zone, at: now)
        let outcome = Self.outcome(answer)
        return Actions(answers: entry.waiters.values.map { ($0, outcome) }, starts: takePlaces(at: now))
    }

    /// What is known of a name has proved wrong. That it has no address has not: nobody could try one.
    mutating func forget(_ name: String) {
        if case .known(.some, _)? = entries[name]?.phase { entries[name] = nil }
    }

    private static func outcome(_ answer: Answer?) -> LookUpOutcome<Answer> {
        answer.map { .found($0) } ?? .nothing
    }

    private func hasPlace(_ zone: String) -> Bool {
        runningIn[zone, default: 0] < (slowZones.contains(zone) ? 1 : limits.placesPerZone)
    }

    /// The names that may be looked up now, in turns.
    private mutating func takePlaces(at now: NIODeadline) -> [String] {
        var starts: [String] = []
        while running < limits.places, let turn = turns.firstIndex(where: hasPlace) {
            let zone = turns[turn]
            guard let name = lines[zone]?.first else { break }
            leaveLine(of: zone) { $0.removeFirst() }
            if lines[zone] != nil { turns.append(turns.remove(at: turn)) }
            entries[name]?.phase = .running(since: now)
            running += 1
            runningIn[zone, default: 0] += 1
            starts.append(name)
        }
        return starts
    }

    /// The newest of the longest line gives way, so that one zone's names do not keep out all others.
    private mutating func dropLast() -> [(waiter: Waiter, outcome: LookUpOutcome<Answer>)] {
        guard let (zone, line) = lines.max(by: { $0.value.count < $1.value.count }), let name = line.last
        else { return [] }
        leaveLine(of: zone) { $0.removeLast() }
        return entries.removeValue(forKey: name)?.waiters.values.map { ($0, .crowded) } ?? []
    }

    private mutating func leaveLine<Name>(of zone: String, _ leave: (inout [String]) -> Name) {
        guard var line = lines[zone] else { return }
        _ = leave(&line)
        waiting -= 1
        lines[zone] = line.isEmpty ? nil : line
        if line.isEmpty { turns.removeAll { $0 == zone } }
    }

    private mutating func noteSpeed(of zone: String, _ time: TimeAmount) {
        guard time > limits.slow else {
            slowZones.remove(zone)
            return
        }
        if slowZones.count >= limits.names { slowZones.removeFirst() }
        slowZones.insert(zone)
    }

    private mutating func keep(_ name: String, _ answer: Answer?, _ zone: String, at now: NIODeadline) {
        let lifetime = answer == nil ? limits.failureLifetime : limits.lifetime
        entries[name] = Entry(phase: .known(answer, until: now + lifetime), zone: zone)
        guard entries.count > limits.names else { return }
        entries = entries.filter { _, entry in
            if case .known(_, let until) = entry.phase { now < until } else { true }
        }
        if entries.count > limits.names { entries[name] = nil }
    }
}
