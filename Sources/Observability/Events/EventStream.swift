package import AgentStatus
internal import HostSystem

/// What happens to the agent, told once for all who want to know: each event is published where it happens, at most as often
/// as the log tells of it.
package final class EventStream: Sendable {
    /// How many are kept for who comes later or reads slowly.
    package static let capacity = 4096

    /// Where they are read: an event's place is its `id`.
    package let feed = Feed<AgentEvent>(capacity: EventStream.capacity)

    package init() {}

    /// Gives the event its number and time, and passes it on. Never waits.
    package func publish(_ event: AgentEvent) {
        let now = UnixTime.milliseconds
        feed.publish { id in
            var event = event
            event.id = id
            event.at = now
            return event
        }
    }
}
