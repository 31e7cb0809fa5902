/// Dates of the Gregorian calendar in UTC.
package enum CalendarDate {
    private static let daysOfEra = 146_097  // 400 years
    /// From 0000-03-01 to 1970-01-01.
    private static let daysTo1970 = 719_468
    private static let secondsOfDay = 86_400

    /// `2026-11-28`.
    ///
    /// - Parameter seconds: since 1970; negative before that.
    package static func text(_ seconds: Int) -> String {
        // Years begin in March here, so that the leap day is the last: then the month follows by one formula.
        let days = floor(seconds, secondsOfDay).quotient + daysTo1970
        let (era, dayOfEra) = floor(days, daysOfEra)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(year < 0 ? "-" : "")\(padded(abs(year), 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    /// The time of a certificate (RFC 5280 §4.1.2.5): with seconds, in UTC, without fractions.
    ///
    /// - Returns: seconds since 1970; nil for what is no such time.
    static func seconds(of element: DERElement) -> Int? {
        let isShort = element.tag == DERTag.utcTime
        guard isShort || element.tag == DERTag.generalizedTime, element.content.last == UInt8(ascii: "Z")
        else { return nil }
        let digits = element.content.dropLast().map { Int($0) - 0x30 }
        guard digits.count == (isShort ? 12 : 14), digits.allSatisfy({ (0...9).contains($0) }) else {
            return nil
        }
        let pairs = stride(from: 0, to: digits.count, by: 2).map { digits[$0] * 10 + digits[$0 + 1] }
        let (month, day, clock) = (pairs[pairs.count - 5], pairs[pairs.count - 4], pairs.suffix(3))
        // A year of two digits is one of 1950 to 2049.
        let year = isShort ? pairs[0] + (pairs[0] < 50 ? 2000 : 1900) : pairs[0] * 100 + pairs[1]
        guard (1...12).contains(month), (1...days(ofMonth: month, in: year)).contains(day),
            zip(clock, [23, 59, 59]).allSatisfy({ $0 <= $1 })
        else { return nil }
        return clock.reduce(0) { $0 * 60 + $1 } + daysSince1970(year, month, day) * secondsOfDay
    }

    private static func days(ofMonth month: Int, in year: Int) -> Int {
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? (isLeapYear ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let (era, yearOfEra) = floor(month <= 2 ? year - 1 : year, 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * daysOfEra + dayOfEra - daysTo1970
    }

    /// Division that rounds down, so that the remainder is never negative.
    private static func floor(_ number: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
