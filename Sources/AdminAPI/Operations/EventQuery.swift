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

    init(_ question: AdminQuestion) throws(EventQueryError) {
        filter = EventFilter(
            kinds: try Self.kinds(question.parameters["kind"]),
            server: try Self.name(question.parameters, "server"),
            tunnel: try Self.name(question.parameters, "tunnel"))
        recent = try question.parameters["recent"].map { text throws(EventQueryError) in
            guard let number = Int(text), (1...EventStream.capacity).contains(number) else {
                throw EventQueryError(words: "recent is a number from 1 to \(EventStream.capacity)")
            }
            return number
        }
        follows = try Self.follows(question.parameters["follow"])
        lastID = question.head.fields.first(named: "Last-Event-ID").flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func kinds(_ text: String?) throws(EventQueryError) -> Set<AgentEvent.Kind> {
        var kinds: Set<AgentEvent.Kind> = []
        guard let text else { return kinds }
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let kind = AgentEvent.Kind(rawValue: String(word)) else {
                let all = AgentEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw EventQueryError(words: "kind is a list, with commas, of: \(all)")
            }
            kinds.insert(kind)
        }
        return kinds
    }

    private static func follows(_ text: String?) throws(EventQueryError) -> Bool {
        switch text {
        case nil, "yes": return true
        case "no": return false
        default: throw EventQueryError(words: "follow is yes or no")
        }
    }

    private static func name(
        _ parameters: [String: String], _ name: String
    ) throws(EventQueryError) -> String? {
        guard let text = parameters[name] else { return nil }
        guard !text.isEmpty else {
            throw EventQueryError(words: "\(name) is empty: give the name, or leave it out")
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

/// What is wrong with a query.
struct EventQueryError: Error {
    let words: String
}
