/// Requests for people: a line for each.
package enum RequestRendering {
    /// When, what was answered to whom, how long it took and where the time went, and what became of it where that is not
    /// the usual.
    ///
    /// - Parameter time: when it was over, as it is shown.
    package static func line(
        of request: RequestSnapshot, time: String, style: TextStyle = .plain
    ) -> String {
        let status = request.status.map { "\($0)" } ?? "---"
        var words = [
            "\(request.method) \(request.path)", milliseconds(request.duration) + parts(of: request),
            "in \(StatusRendering.bytes(UInt64(clamping: request.requestBytes)))",
            "out \(StatusRendering.bytes(UInt64(clamping: request.responseBytes)))",
            "from \(request.caller)", "server \(request.server)",
        ]
        if let hint = request.tokenHint { words.append("token \(hint)") }
        if !usual.contains(request.outcome) { words.append(request.outcome) }
        return time + " " + style.painted(status, request.colour) + " "
            + words.joined(separator: "  ").undeceiving
    }

    private static let usual = ["ok", "answered-here"]

    /// Where the time to the first byte went, as far as it is known.
    private static func parts(of request: RequestSnapshot) -> String {
        let parts = [("queue", request.queue), ("tunnel", request.tunnel), ("origin", request.origin)]
            .compactMap { name, time in time.map { "\(name) \(milliseconds($0))" } }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
    }

    /// With as many digits as matter.
    static func milliseconds(_ time: Double) -> String {
        guard time.isFinite else { return "-" }
        if time >= 10_000 { return "\(StatusRendering.rate(min(time, 1e12) / 1000)) s" }
        return "\(StatusRendering.rate(time)) ms"
    }
}

extension RequestSnapshot {
    fileprivate var colour: TextStyle.Colour {
        if isFailure { return .red }
        return (status ?? 0) >= 400 ? .yellow : .green
    }
}
