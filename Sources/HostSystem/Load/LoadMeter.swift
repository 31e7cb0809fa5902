package import TunnelConfiguration

/// Measures what an agent uses of what it has: some microseconds each time.
package struct LoadMeter: Sendable {
    /// Looks between two at the limit of the control group.
    private static let looksAtOneLimit = 60
    /// Below so many descriptors in all, what the agent needs for itself is too large a part of them to count in
    /// percent: callers wait for descriptors then.
    static let fewDescriptors = 1024
    /// The same of memory, in bytes.
    static let littleMemory = 64 << 20

    private var descriptors = OpenDescriptors()
    private var looks = 0
    private var groupLimit: Int?
    /// While it cannot be asked for, as without a descriptor, it is as it was.
    private var usedLast: Int?

    package init() {}

    /// - Parameters:
    ///   - rules: what is looked at, and how much there is of it.
    ///   - loopDelay: how late the slowest event loop is.
    /// - Returns: a measure of each thing that is looked at and has a limit.
    package mutating func measure(_ rules: LoadShedding, loopDelay: Duration) -> [LoadMeasure] {
        [
            memory(rules.memory), descriptors(rules.descriptors),
            rules.loopDelay.map { delay(loopDelay, of: $0) },
        ]
        .compactMap(\.self)
    }

    private mutating func memory(_ bound: LoadShedding.Bound) -> LoadMeasure? {
        let limit: Int?
        switch bound {
        case .off: return nil
        case .amount(let amount): limit = amount
        case .automatic:
            if looks == 0 { groupLimit = ControlGroup.memoryLimit }
            looks = (looks + 1) % Self.looksAtOneLimit
            limit = groupLimit.flatMap { $0 < Self.littleMemory ? nil : $0 }
        }
        guard let limit, let used = SpareMemory.ownBytes() ?? usedLast else { return nil }
        usedLast = used
        return LoadMeasure(.memory, used: used, limit: limit)
    }

    private mutating func descriptors(_ bound: LoadShedding.Bound) -> LoadMeasure? {
        switch bound {
        case .off: return nil
        case .amount(let amount): return LoadMeasure(.descriptors, used: descriptors.count(), limit: amount)
        case .automatic:
            guard let limit = OpenFileLimit.current, limit >= Self.fewDescriptors else { return nil }
            // Where tunnels have them, a request takes none more; and who finds none waits.
            return LoadMeasure(
                .descriptors, used: descriptors.count(), limit: limit, most: .noKeptConnections)
        }
    }

    private func delay(_ delay: Duration, of allowed: Duration) -> LoadMeasure {
        LoadMeasure(.loopDelay, used: delay.inMilliseconds, limit: allowed.inMilliseconds)
    }
}

extension Duration {
    fileprivate var inMilliseconds: Int { Int(self / .milliseconds(1)) }
}
