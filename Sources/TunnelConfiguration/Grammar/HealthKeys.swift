/// The keys for several origins, and for whether they are well.
enum HealthKeys {
    static let balance = ScalarKey<TunnelClientConfiguration.Balance>.choice(
        "balance", default: .first,
        "Which of several origins has a request: the first in the list that is up, or each in turn.")
    static let health = KeyDeclaration(
        "health", .mapping(.health), "Checks whether origins are well, without waiting for a request to fail."
    )

    // health
    static let path = ScalarKey<String>.text(
        "path", default: "/", "What is asked for by GET.", parsePath)
    static let every = ScalarKey<Duration>.duration(
        "every", .milliseconds(100) ... .seconds(3600), default: .seconds(10),
        "How often each origin is asked")
    static let timeout = ScalarKey<Duration>.duration(
        "timeout", .milliseconds(50) ... .seconds(600), default: .seconds(2),
        "How long its answer may take, at most as long as every")
    static let fall = ScalarKey<Int>.integer(
        "fall", 1...100, default: 3, "Failed checks in a row by which an origin is down.")
    static let rise = ScalarKey<Int>.integer(
        "rise", 1...100, default: 2, "Passed checks in a row by which it is up again.")
    static let status = ScalarKey<ClosedRange<Int>>(
        declaration: KeyDeclaration(
            "status", .text, default: "200-399", "The status of a good answer, or a range of them."),
        defaultValue: 200...399,
        parse: { value throws(ValueFault) in try parseStatuses(value.text) })

    private static func parsePath(_ text: String) throws(ValueFault) -> String {
        guard text.hasPrefix("/"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), !text.contains("#")
        else {
            throw ValueFault(
                "\(Quotation.of(text)) is no path of a request",
                advice: "write one like /healthz or /up?full=1")
        }
        return text
    }

    private static func parseStatuses(_ text: String) throws(ValueFault) -> ClosedRange<Int> {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { end in
            end.utf8.count == 3 ? Int(end) : nil
        }
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, (200...599).contains(first),
            (first...599).contains(last)
        else {
            throw ValueFault(
                "\(Quotation.of(text)) is no status or range of them",
                advice: "write one like 200, or 200-399")
        }
        return first...last
    }

    static func format(_ statuses: ClosedRange<Int>) -> String {
        statuses.count == 1 ? "\(statuses.lowerBound)" : "\(statuses.lowerBound)-\(statuses.upperBound)"
    }
}
