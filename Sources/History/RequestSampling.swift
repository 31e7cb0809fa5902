internal import AgentStatus
internal import Observability

/// Which requests are kept where there are more than is of use: all as long as there are few, else some, each of which stands
/// for a number of them. What went wrong or was slow has a larger share of its own. Pure.
struct RequestSampling: Sendable {
    struct Kept: Sendable, Equatable {
        var request: RequestSnapshot
        /// How many it stands for, itself included.
        var standsFor: Int
    }

    /// How many may be kept, which grows with time up to a bound.
    private struct Budget: Sendable {
        let perSecond: Double
        let most: Double
        var left: Double
        /// Those that nobody stands for yet.
        var owed = 0

        init(perSecond: Double, most: Double) {
            self.perSecond = perSecond
            self.most = most
            left = most
        }

        mutating func passed(seconds: Double) { left = min(most, left + perSecond * seconds) }

        /// Evenly from all of them, the last of each group.
        mutating func take(_ requests: [EndedRequest]) -> [Kept] {
            let count = min(requests.count, Int(left))
            guard count > 0 else {
                owed += requests.count
                return []
            }
            left -= Double(count)
            let kept = (0..<count).map { index in
                let (start, end) = (index * requests.count / count, (index + 1) * requests.count / count)
                return Kept(
                    request: requests[end - 1].snapshot,
                    standsFor: end - start + (index == 0 ? owed : 0))
            }
            owed = 0
            return kept
        }
    }

    private var ordinary = Budget(perSecond: 10, most: 200)
    private var remarkable = Budget(perSecond: 100, most: 1000)

    /// - Parameter seconds: since the last call.
    mutating func sample(_ requests: [EndedRequest], seconds: Double) -> [Kept] {
        ordinary.passed(seconds: seconds)
        remarkable.passed(seconds: seconds)
        let notable = requests.filter(\.isTrouble)
        guard !notable.isEmpty else { return ordinary.take(requests) }
        let common = requests.filter { !$0.isTrouble }
        return (ordinary.take(common) + remarkable.take(notable)).sorted { $0.request.at < $1.request.at }
    }
}
