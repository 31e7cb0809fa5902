/// What wrk prints at its end (`wrk --latency`), taken apart.
package struct WrkResult: Hashable, Sendable {
    /// Milliseconds.
    package var median: Double
    /// Milliseconds.
    package var percentile99: Double
    package var requests: Int
    /// How long it ran, in seconds.
    package var seconds: Double
    /// Answers whose status is not 2xx or 3xx.
    package var refusals: Int
    /// Connections that failed, reads and writes that failed, requests that took longer than wrk waits.
    package var socketErrors: Int

    /// Over the time that wrk really took.
    package var requestsPerSecond: Double { seconds > 0 ? Double(requests) / seconds : 0 }

    /// - Returns: nil when the text is no complete result.
    package init?(parsing text: String) {
        var (median, percentile99): (Double?, Double?)
        var total: (requests: Int, seconds: Double)?
        (refusals, socketErrors) = (0, 0)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            switch words.first {
            case "50%" where words.count == 2: median = Self.milliseconds(words[1])
            case "99%" where words.count == 2: percentile99 = Self.milliseconds(words[1])
            case "Non-2xx": refusals = words.last.flatMap { Int($0) } ?? 1
            case "Socket":
                socketErrors = line.split(whereSeparator: { $0 == " " || $0 == "," }).reduce(0) {
                    $0 + (Int($1) ?? 0)
                }
            default:
                // `95482 requests in 3.00s, 111.86MB read`
                if words.count >= 4, words[1] == "requests", words[2] == "in", let count = Int(words[0]),
                    let time = Self.milliseconds(words[3].prefix { $0 != "," })
                {
                    total = (count, time / 1000)
                }
            }
        }
        guard let median, let percentile99, let total else { return nil }
        (self.median, self.percentile99) = (median, percentile99)
        (requests, seconds) = total
    }

    /// `0.95us`, `1.20ms`, `3.00s`, `1.50m`, `1.00h`.
    static func milliseconds(_ text: Substring) -> Double? {
        let number = text.prefix { $0.isNumber || $0 == "." }
        guard let value = Double(number) else { return nil }
        switch text.dropFirst(number.count) {
        case "us": return value / 1000
        case "ms": return value
        case "s": return value * 1000
        case "m": return value * 60_000
        case "h": return value * 3_600_000
        default: return nil
        }
    }
}
