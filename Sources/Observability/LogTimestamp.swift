internal import Glibc

/// A moment as log lines show it: RFC 3339, UTC, milliseconds (`2026-01-31T12:00:00.000Z`).
///
/// Worked out with a few integer divisions, which is quicker than a lock around a cached text.
package struct LogTimestamp: Sendable, Hashable, CustomStringConvertible {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    package let millisecondsSince1970: Int64

    package init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    /// The wall clock's present reading.
    package static func now() -> LogTimestamp {
        var reading = timespec()
        clock_gettime(CLOCK_REALTIME, &reading)
        return LogTimestamp(
            millisecondsSince1970: Int64(reading.tv_sec) * 1000 + Int64(reading.tv_nsec) / 1_000_000)
    }

    package var description: String {
        var bytes = LineBytes()
        append(to: &bytes)
        return String(decoding: bytes.array(), as: UTF8.self)
    }

    /// Years that four digits can show, in milliseconds since 1970; a clock beyond them shows the bound.
    private static let shown: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// Appends the 24 characters of the timestamp.
    func append(to bytes: inout LineBytes) {
        let bounds = Self.shown
        let moment = min(max(millisecondsSince1970, bounds.lowerBound), bounds.upperBound)
        let millisecond = moment.floorModulo(1000)
        let second = (moment - millisecond) / 1000
        let secondOfDay = second.floorModulo(86_400)
        let (year, month, day) = Self.civilDate(daysSince1970: (second - secondOfDay) / 86_400)
        bytes.append(UInt64(year), digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(UInt64(month), digits: 2)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(UInt64(day), digits: 2)
        bytes.append(UInt8(ascii: "T"))
        bytes.append(UInt64(secondOfDay / 3600), digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(UInt64(secondOfDay / 60 % 60), digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(UInt64(secondOfDay % 60), digits: 2)
        bytes.append(UInt8(ascii: "."))
        bytes.append(UInt64(millisecond), digits: 3)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The Gregorian date of a day number.
    ///
    /// Counts in years that begin on the first of March, so that the leap day is a year's last: then the
    /// month follows from the day by one linear formula (153 days for each five months).
    private static func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let daysInEra: Int64 = 146_097  // 400 years
        let days = daysSince1970 + 719_468  // from 0000-03-01
        let dayOfEra = days.floorModulo(daysInEra)
        let era = (days - dayOfEra) / daysInEra
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Int64 {
    fileprivate func floorModulo(_ divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}
