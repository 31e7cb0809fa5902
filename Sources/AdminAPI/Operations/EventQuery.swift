import AgentStatus
import HTTPMessage
import Observability

/// Which events are asked for.
struct EventQuery: Sendable {
    let filter: EventFilter
    /// How many of the latest are wanted, and no stream.
    let recent: Int?
    /// Whether the stream goes on with what happens.
    let follows: Bool
    /// As the request says it; nil where it says none.
    private let lastID: String?

    /// - Parameter question: whose parameters are as the operation describes them.
    init(_ question: AdminQuestion) throws(ActionError) {
        let parameters = question.parameters
        let kinds = parameters["kind"]?.split(separator: ",").compactMap {
            AgentEvent.Kind(rawValue: String($0))
        }
        filter = EventFilter(
            kinds: Set(kinds ?? []), server: try Self.name(parameters, "server"),
            tunnel: try Self.name(parameters, "tunnel"))
        recent = parameters["recent"].flatMap { Int($0) }
        follows = parameters["follow"] != "no"
        lastID = question.head.fields.first(named: "Last-Event-ID").flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func name(
        _ parameters: [String: String], _ name: String
    ) throws(ActionError) -> String? {
        guard let text = parameters[name] else { return nil }
        guard !text.isEmpty else {
            throw ActionError(400, "\(name) is empty: give the name, or leave it out")
        }
        return text
    }

    /// Where the stream begins. What the agent does not know as its own, such as the id of one that ran before, misses an
    /// unknown number.
    func start(in feed: Feed<AgentEvent>) -> AdminStream.Start {
        guard let lastID else { return .behind(feed.last) }
        // Who has had none yet begins with the oldest that is kept, and misses no others.
        guard let number = UInt64(lastID), number == 0 || feed.knows(number) else { return .oldest }
        return .behind(number)
    }

    func list(of feed: Feed<AgentEvent>, most: Int) -> EventList {
        let batch = feed.read(after: 0)
        return EventList(events: batch.elements.filter(filter.takes).suffix(most), last: batch.last)
    }
}
