/// Durations as the file writes them: `250ms 30s 20m 1h`, also in a row (`1h30m`), or a bare number of seconds.
package enum DurationText {
    private static let milliseconds: [(unit: String, count: Int64)] = [
        ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// - Returns: the duration, or nil when the text is none or is beyond what 64 bits of milliseconds hold.
    package static func parse(_ text: String) -> Duration? {
        if let seconds = unsigned(text[...]) {
            let (total, overflow) = seconds.multipliedReportingOverflow(by: 1000)
            return overflow ? nil : .milliseconds(total)
        }
        var rest = text[...]
        var total: Int64 = 0
        var units = milliseconds[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !("0"..."9").contains($0) }
            rest = rest.dropFirst(unit.count)
            guard let number = unsigned(digits), let index = units.firstIndex(where: { $0.unit == unit })
            else { return nil }
            let (part, partOverflow) = number.multipliedReportingOverflow(by: units[index].count)
            let (sum, sumOverflow) = total.addingReportingOverflow(part)
            guard !partOverflow, !sumOverflow else { return nil }
            total = sum
            units = units[(index + 1)...]
        }
        return .milliseconds(total)
    }

    /// The shortest way to write a duration of whole milliseconds.
    package static func format(_ duration: Duration) -> String {
        let parts = duration.components
        var rest = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
        if rest == 0 { return "0s" }
        var text = ""
        for (unit, count) in milliseconds where rest >= count {
            text += "\(rest / count)\(unit)"
            rest %= count
        }
        return text
    }

    private static func unsigned(_ digits: Substring) -> Int64? {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(digits)
    }
}
