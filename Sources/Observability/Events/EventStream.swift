package import AgentStatus
internal import HostSystem
internal import Synchronization

/// What happens to the agent, told once for all who want to know: each event is published where it happens, at most as often
/// as the log tells of it.
package final class EventStream: Sendable {
    /// How many are kept for who comes later or reads slowly.
    package static let capacity = 4096
    /// Bytes of a text that is kept: peers choose some of them.
    private static let longestText = 1024

    /// Where they are read: an event's place is its `id`.
    package let feed: Feed<AgentEvent>
    private let budgets = Mutex<[AgentEvent.Kind: EventBudget]>([:])

    /// - Parameter startedAt: milliseconds since 1970, which the numbers are made of.
    package init(startedAt: Int64 = UnixTime.milliseconds) {
        feed = Feed(capacity: Self.capacity, beginningBehind: Self.place(at: startedAt))
    }

    /// The number behind which those of an agent begin that starts then: above all that one which started before has given
    /// out, and below 2^53, so that every reader of JSON has it exactly.
    static func place(at milliseconds: Int64) -> UInt64 {
        let centiseconds = UInt64(max(0, milliseconds) / 10)
        // Nobody tells a million events a second for as long as he runs.
        return min(centiseconds, 1 << 38) << 14
    }

    /// Gives the event its number and time, and passes it on, unless there are too many of its kind. Never waits.
    package func publish(_ event: AgentEvent) {
        let verdict = budgets.withLock { $0[event.kind, default: EventBudget()].happened(now: .now) }
        switch verdict {
        case .told(0): break
        case .told(let count):
            pass(
                AgentEvent(
                    .suppressed, code: event.kind.rawValue,
                    message: "\(count) events of the kind \(event.kind.rawValue) were left out"))
        case .firstSuppressed:
            return pass(
                AgentEvent(
                    .suppressed, code: event.kind.rawValue,
                    message:
                        "too many events of the kind \(event.kind.rawValue): some are left out from now on"))
        case .suppressed: return
        }
        pass(event)
    }

    private func pass(_ event: AgentEvent) {
        var event = event
        event.at = UnixTime.milliseconds
        event.message = Self.bounded(event.message)
        event.tunnel = event.tunnel.map(Self.bounded)
        let bounded = event
        feed.publish { id in
            var event = bounded
            event.id = id
            return event
        }
    }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > longestText else { return text }
        return String(decoding: text.utf8.prefix(longestText), as: UTF8.self) + "…"
    }
}
