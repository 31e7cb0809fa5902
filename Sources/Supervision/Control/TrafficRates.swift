/// Requests per second, from counts that are taken at intervals.
struct TrafficRates: Sendable {
    enum Key: Hashable, Sendable {
        case server(String), tunnel(String)
    }

    /// Between two samples.
    static let interval: Duration = .seconds(5)

    private struct Sample: Sendable {
        var counts: [Key: UInt64]
        var time: ContinuousClock.Instant
    }

    /// The last three: rates are those of ten seconds.
    private var samples: [Sample] = []

    /// - Parameters: how many requests each has had so far, by name.
    mutating func add(
        servers: [String: UInt64], tunnels: [String: UInt64], at time: ContinuousClock.Instant
    ) {
        var counts: [Key: UInt64] = [:]
        for (name, count) in servers { counts[.server(name)] = count }
        for (name, count) in tunnels { counts[.tunnel(name)] = count }
        samples.append(Sample(counts: counts, time: time))
        if samples.count > 3 { samples.removeFirst() }
    }

    /// Nil before it is known. What was replaced begins again at nothing.
    func rate(of key: Key) -> Double? {
        guard let first = samples.first, let last = samples.last, let before = first.counts[key],
            let after = last.counts[key], last.time > first.time
        else { return nil }
        let increase = after >= before ? after - before : after
        return Double(increase) / ((last.time - first.time) / .seconds(1))
    }
}
