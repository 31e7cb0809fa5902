/// The latest events, for who does not wait for more.
///
/// Property names are those of the JSON.
package struct EventList: Codable, Hashable, Sendable {
    /// The oldest first.
    package var events: [AgentEvent]
    /// The id of the latest event that there was, listed or not: where to go on from.
    package var last: UInt64

    package init(events: [AgentEvent], last: UInt64) {
        self.events = events
        self.last = last
    }
}
