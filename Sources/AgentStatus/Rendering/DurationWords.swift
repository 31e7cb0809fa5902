/// A duration in its two greatest units.
enum DurationWords {
    /// Between two moments, whatever an agent says that they are.
    static func of(from begin: Int, to end: Int) -> String {
        let (seconds, isTooMuch) = end.subtractingReportingOverflow(begin)
        return of(seconds: isTooMuch ? begin < end ? .max : 0 : seconds)
    }

    static func of(seconds: Int) -> String {
        let seconds = max(0, seconds)
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days)d\(hours)h" }
        if hours > 0 { return "\(hours)h\(minutes)m" }
        return minutes > 0 ? "\(minutes)m\(seconds % 60)s" : "\(seconds)s"
    }
}
