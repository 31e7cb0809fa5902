internal import Glibc
internal import HTTPMessage

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
        bytes.append(second: second) { Self.append(second, to: &$0) }
        bytes.append(threeDigits: UInt32(truncatingIfNeeded: millisecond))
        bytes.append(UInt8(ascii: "Z"))
    }

    /// Appends the 20 characters before the milliseconds.
    private static func append(_ second: Int64, to bytes: inout LineBytes) {
        let secondOfDay = second.floorModulo(86_400)
        let date = CivilDate(daysSince1970: Int((second - secondOfDay) / 86_400))
        // Each of these is a number of two digits by now, or four.
        let (minute, hour) = (secondOfDay / 60 % 60, secondOfDay / 3600)
        bytes.append(twoDigits: UInt8(truncatingIfNeeded: date.year / 100))
        bytes.append(twoDigits: UInt8(truncatingIfNeeded: date.year % 100))
        bytes.append(UInt8(ascii: "-"))
        bytes.append(twoDigits: UInt8(truncatingIfNeeded: date.month))
        bytes.append(UInt8(ascii: "-"))
        bytes.append(twoDigits: UInt8(truncatingIfNeeded: date.day))
        bytes.append(UInt8(ascii: "T"))
        bytes.append(twoDigits: UInt8(truncatingIfNeeded: hour))
        bytes.append(UInt8(ascii: ":"))
        bytes.append(twoDigits: UInt8(truncatingIfNeeded: minute))
        bytes.append(UInt8(ascii: ":"))
        bytes.append(twoDigits: UInt8(truncatingIfNeeded: secondOfDay % 60))
        bytes.append(UInt8(ascii: "."))
    }
}

extension Int64 {
    fileprivate func floorModulo(_ divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}
