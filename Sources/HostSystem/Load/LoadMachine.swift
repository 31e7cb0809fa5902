/// Decides at which stage an agent is, of what is measured at one look after the other. No I/O, no clock.
///
/// A stage is entered as soon as a look calls for it, but one at a look: what is given back at the first of them may be
/// enough, and then nobody is refused. It is left one at a time, when nothing has kept it in force for a while.
package struct LoadMachine: Sendable {
    /// Between two looks, in which the last stage has some effect.
    package static let interval: Duration = .milliseconds(500)
    /// For how long nothing may keep a stage in force before it is left.
    static let calm: Duration = .seconds(5)
    /// Looks of which the least delay of event loops counts: one that is late once only had much to do.
    static let delaysInARow = 4

    package private(set) var stage = LoadStage.none
    /// What it is for, or was for last.
    package private(set) var cause: LoadMeasure?
    /// What was measured last, the delay as it counts.
    package private(set) var measures: [LoadMeasure] = []
    private var delays: [Int] = []
    private var calmSince: ContinuousClock.Instant?

    package init() {}

    /// - Parameter measured: one measure of each thing that is looked at.
    /// - Returns: whether the stage has changed.
    package mutating func look(_ measured: [LoadMeasure], now: ContinuousClock.Instant) -> Bool {
        measures = measured.map { smoothed($0) }
        if !measured.contains(where: { $0.resource == .loopDelay }) { delays = [] }
        let highest = measures.max { $0.calledFor < $1.calledFor }
        if let highest, highest.calledFor > stage, let next = LoadStage(rawValue: stage.rawValue + 1) {
            (stage, cause, calmSince) = (next, highest, nil)
            return true
        }
        let keeper = measures.max { $0.kept < $1.kept }
        if let keeper, keeper.kept >= stage {
            calmSince = nil
            if stage > .none { cause = keeper }
            return false
        }
        let since = calmSince ?? now
        calmSince = since
        guard now - since >= Self.calm, let lower = LoadStage(rawValue: stage.rawValue - 1) else {
            return false
        }
        cause = cause.flatMap { cause in measures.first { $0.resource == cause.resource } } ?? cause
        if lower > .none, let keeper, keeper.kept > .none { cause = keeper }
        (stage, calmSince) = (lower, now)
        return true
    }

    /// Begins anew: what is looked at has changed.
    ///
    /// - Returns: whether a stage was in force.
    package mutating func reset() -> Bool {
        defer { (stage, measures, delays, calmSince) = (.none, [], [], nil) }
        return stage > .none
    }

    /// Whether so much of something is used that a stage is in force for that.
    package func isFor(_ resource: LoadResource) -> Bool {
        stage > .none && measures.contains { $0.resource == resource && $0.kept > .none }
    }

    private mutating func smoothed(_ measure: LoadMeasure) -> LoadMeasure {
        guard measure.resource == .loopDelay else { return measure }
        delays.append(measure.used)
        if delays.count > Self.delaysInARow { delays.removeFirst() }
        let least = delays.count < Self.delaysInARow ? 0 : delays.min() ?? 0
        return LoadMeasure(.loopDelay, used: least, limit: measure.limit)
    }
}
