import AgentStatus
import HTTPMessage
import Logging
import Observability

// The agent's log, while it is written.
extension AdminOperation {
    static let logs: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/logs", audience: .role(.administer),
            summary:
                "The latest warnings, with Last-Event-ID those since that line, then the log's lines as they are written, but for those of requests.",
            parameters: [
                Parameter(
                    name: "level",
                    meaning: "The least important that is told, `info` unless given: \(levels).",
                    schema: .choice(Logger.Level.allCases.map(\.rawValue))),
                Parameter(name: "tunnel", meaning: "Only lines about the tunnel of this name."),
                Parameter(name: "server", meaning: "Only lines about the server of this name."),
                Parameter(
                    name: "follow", meaning: "`no` ends behind the warnings.", schema: .choice(["yes", "no"])),
            ],
            responses: [
                Response(meaning: "Without an end.", mediaType: "text/event-stream", schema: .string())
            ]
        ) { question, control in
            let text = question.parameters["level"] ?? "info"
            guard let level = Logger.Level(rawValue: text) else {
                return .error(400, "there is no such level: one of \(levels)")
            }
            let wanted: [(LogKey, String)] = [
                (.tunnelName, question.parameters["tunnel"]), (.serverName, question.parameters["server"]),
            ].compactMap { key, name in name.map { (key, $0) } }
            let lastID = question.head.fields.first(named: "Last-Event-ID").flatMap { UInt64($0) }
            let follows = question.parameters["follow"] != "no"
            return .stream(
                .lines(of: control.logs, from: level, after: lastID, follows: follows) { entry in
                    wanted.allSatisfy { entry.fields[$0.0.rawValue] == $0.1 }
                })
        }
    ]

    private static let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
}
