/// What became of the spans of traced requests.
package struct TracingSnapshot: Codable, Hashable, Sendable {
    /// Where they go, as a URL.
    package var collector: String
    /// Spans that the collector took.
    package var spans: UInt64
    /// Requests that were left out as more were asked for than may be made.
    package var limited: UInt64
    /// Requests whose spans were lost: the collector was away for too long, or wants none of them.
    package var dropped: UInt64
    /// Why it takes none now; nil while it does.
    package var fault: FaultSnapshot?

    package init(
        collector: String, spans: UInt64 = 0, limited: UInt64 = 0, dropped: UInt64 = 0,
        fault: FaultSnapshot? = nil
    ) {
        self.collector = collector
        self.spans = spans
        self.limited = limited
        self.dropped = dropped
        self.fault = fault
    }

    /// All of it in a line.
    var line: String {
        var figures = ["\(spans) spans"]
        if limited > 0 { figures.append("\(limited) requests left out by max-spans-per-second") }
        if dropped > 0 { figures.append("\(dropped) requests lost") }
        let trouble = fault.map { " — failing: \($0.message)" } ?? ""
        return "tracing to \(collector): \(figures.joined(separator: ", "))\(trouble)"
    }
}
