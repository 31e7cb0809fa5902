import AgentStatus
import HTTPMessage
import NIOCore
import Observability

// What happens, while it happens: server-sent events (WHATWG HTML §9.2).
extension AdminOperation {
    private static let requestsPerSecond = 1000
    private static let kinds = AgentEvent.Kind.allCases.map(\.rawValue).joined(separator: "|")

    static let feeds: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/events",
            summary:
                "Events as they happen; with Last-Event-ID, those since that one; with recent, the latest as a list.",
            parameters: [
                Parameter(
                    name: "kind", meaning: "Only events of these kinds: a list with commas.",
                    schema: .string(pattern: "(\(kinds))(,(\(kinds)))*")),
                Parameter(name: "server", meaning: "Only events of this tunnel server."),
                Parameter(name: "tunnel", meaning: "Only events of this tunnel."),
                Parameter(
                    name: "recent",
                    meaning:
                        "So many of the latest, as a JSON list instead of a stream: 1 to \(EventStream.capacity).",
                    schema: .integer(1...EventStream.capacity)),
                Parameter(
                    name: "follow", meaning: "`no` ends the stream behind what has happened.",
                    schema: .choice(["yes", "no"])),
            ],
            responses: [
                Response(meaning: "Without an end.", mediaType: "text/event-stream", schema: .string())
            ]
        ) { question, control in
            do throws(ActionError) {
                let query = try EventQuery(question)
                let feed = control.events
                if let recent = query.recent { return .json(200, query.list(of: feed, most: recent)) }
                return .stream(
                    .events(
                        of: feed, from: query.start(in: feed), until: query.follows ? nil : feed.last,
                        where: query.filter.takes,
                        named: { $0.kind.rawValue }))
            } catch {
                return .error(error.status, error.description)
            }
        },
        AdminOperation(
            method: "GET", path: "/api/requests",
            summary:
                "Requests as they end; of more than \(requestsPerSecond) a second some, and how many were missed.",
            parameters: [
                Parameter(name: "server", meaning: "Only those of this tunnel server."),
                Parameter(
                    name: "errors", meaning: "`yes`: only those that went wrong.", schema: .choice(["yes"])),
                Parameter(
                    name: "slower", meaning: "Only those that took so many milliseconds, or more.",
                    schema: .integer(0...1_000_000_000)),
            ],
            responses: [
                Response(meaning: "Without an end.", mediaType: "text/event-stream", schema: .string())
            ]
        ) { question, control in
            let feed = control.requests
            let server = question.parameters["server"]
            let errorsOnly = question.parameters["errors"] != nil
            let least = Duration.milliseconds(question.parameters["slower"].flatMap { Int64($0) } ?? 0)
            return .stream(
                .events(
                    of: feed, from: .behind(feed.last), pace: requestsPerSecond,
                    where: { request in
                        (server == nil || request.record.serverName == server)
                            && (!errorsOnly || request.isFailure) && request.record.duration >= least
                    },
                    named: { _ in "request" }))
        },
    ]
}
