import AgentStatus
import HostSystem
import TunnelConfiguration

// What happened, as far as it is kept.
extension AdminOperation {
    static let history: [AdminOperation] = HistoryQuery.Subject.allCases.map { subject in
        AdminOperation(
            method: "GET", path: "/api/history/\(subject.rawValue)", summary: subject.summary,
            parameters: subject.parameters,
            responses: [Response(meaning: "A page of it.", schema: .json(HistoryPage.self))]
        ) { question, control in
            do throws(ActionError) {
                let query = try HistoryQuery(
                    subject, parameters: question.parameters, now: UnixTime.milliseconds)
                return .json(200, try await control.history(query))
            } catch {
                return .error(error.status, error.description)
            }
        }
    }
}

extension HistoryQuery.Subject {
    fileprivate var summary: String {
        switch self {
        case .events: "Events of the past, the latest first."
        case .requests: "Requests of the past, the latest first."
        case .minutes: "What servers and tunnels carried in each minute, the latest first."
        }
    }

    /// Milliseconds since 1970, or a duration.
    private static let time = "[0-9]{1,13}|[0-9]{1,4}(ms|s|m|d)|([0-9]{1,3}d)?[0-9]{1,4}h([0-9]{1,4}m)?"

    fileprivate var parameters: [AdminOperation.Parameter] {
        var parameters = [
            AdminOperation.Parameter(
                name: "since", meaning: "Not before: milliseconds since 1970, or so long ago, such as 1h.",
                schema: .string(pattern: Self.time)),
            .init(name: "until", meaning: "Not after: the same.", schema: .string(pattern: Self.time)),
            .init(
                name: "limit",
                meaning: "Rows at most, 1 to \(HistoryQuery.mostRows); \(HistoryQuery.usualRows) by default.",
                schema: .integer(1...HistoryQuery.mostRows)),
            .init(
                name: "before", meaning: "Only what lies before the row of that id: `next` of an answer.",
                schema: .integer(1...(1 << 53))),
            .init(name: "server", meaning: "The tunnel server of that name."),
            .init(name: "tunnel", meaning: "The tunnel of that name, or of that shortened token."),
            .init(name: "errors-only", meaning: "Only what went wrong.", schema: .boolean),
        ]
        switch self {
        case .events:
            parameters.append(
                .init(
                    name: "kind", meaning: "Events of that kind.",
                    schema: .choice(AgentEvent.Kind.allCases.map(\.rawValue))))
        case .requests:
            parameters.append(
                .init(
                    name: "status", meaning: "A status, or such as 5xx.",
                    schema: .string(pattern: "[1-5]([0-9][0-9]|xx)")))
        case .minutes: break
        }
        return parameters
    }
}

extension HistoryQuery {
    /// - Parameter now: in milliseconds since 1970.
    /// - Throws: where a parameter makes no sense.
    init(_ subject: Subject, parameters: [String: String], now: Int64) throws(ActionError) {
        self.init(subject)
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "since": since = try Self.time(name, value, now)
            case "until": until = try Self.time(name, value, now)
            case "limit": limit = try Self.number(name, value, in: 1...Int64(Self.mostRows)) { Int($0) }
            case "before": before = try Self.number(name, value, in: 1...Int64.max) { $0 }
            case "server": server = value
            case "tunnel": tunnel = value
            case "kind":
                guard AgentEvent.Kind(rawValue: value) != nil else {
                    let kinds = AgentEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ActionError(400, "there are no events of that kind — there are \(kinds)")
                }
                kind = value
            case "status": status = try Self.statuses(value)
            default:
                guard let isWanted = Bool(value) else {
                    throw ActionError(400, "\(name) is true or false")
                }
                errorsOnly = isWanted
            }
        }
    }

    private static func number<Value>(
        _ name: String, _ text: String, in range: ClosedRange<Int64>, _ value: (Int64) -> Value
    ) throws(ActionError) -> Value {
        guard let number = Int64(text), range.contains(number) else {
            throw ActionError(400, "\(name) is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value(number)
    }

    private static func time(_ name: String, _ text: String, _ now: Int64) throws(ActionError) -> Int64 {
        if let moment = Int64(text), moment >= 0 { return moment }
        guard let ago = DurationText.parse(text) else {
            throw ActionError(
                400, "\(name) is a number of milliseconds since 1970, or how long ago, such as 30m, 1h or 2d")
        }
        let (seconds, attoseconds) = ago.components
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? 0 : max(0, now - milliseconds - attoseconds / 1_000_000_000_000_000)
    }

    private static func statuses(_ text: String) throws(ActionError) -> ClosedRange<Int> {
        if text.utf8.count == 3, text.hasSuffix("xx"), let first = text.first?.wholeNumberValue,
            (1...5).contains(first)
        {
            return first * 100...first * 100 + 99
        }
        guard let status = Int(text), (100...599).contains(status) else {
            throw ActionError(400, "status is a number from 100 to 599, or such as 5xx")
        }
        return status...status
    }
}
