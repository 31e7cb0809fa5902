/// Dates of HTTP fields: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7). The two obsolete forms are not read.
package enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter seconds: since 1970; what is before is written as 1970.
    package static func format(_ seconds: Int) -> String {
        let seconds = max(0, seconds)
        let (day, time) = seconds.quotientAndRemainder(dividingBy: 86400)
        let date = CivilDate(daysSince1970: day)
        return "\(days[day % 7]), \(padded(date.day)) \(months[date.month - 1]) \(date.year) "
            + "\(padded(time / 3600)):\(padded(time / 60 % 60)):\(padded(time % 60)) GMT"
    }

    /// - Returns: seconds since 1970, or nil for anything else than a date in the preferred form.
    package static func parse(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), (1...31).contains(day),
            let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3]),
            (1970...9999).contains(year)
        else { return nil }
        let clock = parts[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]),
            (0...60).contains(clock[2])
        else { return nil }
        let days = CivilDate(year: year, month: month + 1, day: day).daysSince1970
        return days * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension HeaderFields {
    /// How long a server asks to be left alone, a day at most: seconds, or until a date (RFC 9110 §10.2.3).
    ///
    /// - Parameter now: in seconds since 1970.
    package func retryAfter(now: Int) -> Duration? {
        guard let text = self[.retryAfter] else { return nil }
        let end = HTTPDate.parse(text)
        let seconds = Int(text) ?? end.map { max($0, now) - now }
        return seconds.map { .seconds(max(0, min($0, 86_400))) }
    }
}
