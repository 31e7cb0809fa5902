import AgentStatus
import Observability

/// Finds requests for exemplars, of those that the log tells of while somebody listens.
///
/// To be told costs each request something. So who scrapes listens from one scrape until there were some hundred requests:
/// of a busy server a few in a hundred, of a quiet one all.
@AgentActor final class ExemplarCollector {
    /// Requests that are told of after a scrape.
    private static let most: UInt64 = 512
    /// For how long somebody who does not scrape any more is believed to.
    private static let patience: Duration = .seconds(60)
    /// Requests that are looked at: those before are old, or others listen as well.
    private static let mostLookedAt: UInt64 = 1024

    private let feed: Feed<EndedRequest>
    /// The last that was looked at.
    private var place: UInt64 = 0
    private var exemplars: [String: RequestExemplars] = [:]
    private var isListening = false
    private var wasAsked = false

    init(_ feed: Feed<EndedRequest>) { self.feed = feed }

    /// What came until now, by server; and listens again.
    ///
    /// - Parameter names: of the servers that there are.
    func collect(ofServers names: Set<String>) -> [String: RequestExemplars] {
        wasAsked = true
        if !isListening { listen() }
        let last = feed.last
        let batch = feed.read(after: max(place, last - min(last, Self.mostLookedAt)))
        place = batch.last
        exemplars = exemplars.filter { names.contains($0.key) }
        // Only of what the histogram counts: those that were for a tunnel, and no raw streams.
        for request in batch.elements {
            let record = request.record
            guard record.timing.queue != nil, record.status != 101, names.contains(record.serverName) else {
                continue
            }
            exemplars[record.serverName, default: RequestExemplars()].note(request.snapshot)
        }
        return exemplars
    }

    private func listen() {
        isListening = true
        feed.subscribe()
        Task {
            var isEnough = false
            while wasAsked, !isEnough {
                wasAsked = false
                isEnough =
                    await feed.next(after: feed.last + Self.most - 1, most: 1, within: Self.patience) != nil
            }
            feed.unsubscribe()
            isListening = false
        }
    }
}
