/// A number in a page of metrics, with no more than nine places behind the point: exact, and fast to write.
package struct MetricNumber: Sendable, Hashable {
    /// Of it, in the unit of the last place.
    let magnitude: UInt64
    let isNegative: Bool
    /// Behind the point, 0 to 9.
    let places: Int

    init(_ value: Int64, places: Int = 0) {
        magnitude = value.magnitude
        isNegative = value < 0
        self.places = places
    }

    package init(_ value: UInt64) {
        magnitude = value
        isNegative = false
        places = 0
    }

    package init(_ value: Int) { self.init(Int64(value)) }

    package init(_ isTrue: Bool) { self.init(isTrue ? 1 : 0) }

    package static func microseconds(_ value: Int64) -> MetricNumber { MetricNumber(value, places: 6) }

    package static func milliseconds(_ value: Int64) -> MetricNumber { MetricNumber(value, places: 3) }

    /// Of one to another that is more than 0, to a thousandth.
    package static func ratio(_ part: Int, of whole: Int) -> MetricNumber {
        let (scaled, isTooMuch) = Int64(part).multipliedReportingOverflow(by: 1000)
        return MetricNumber((isTooMuch ? .max : scaled) / Int64(max(1, whole)), places: 3)
    }
}

extension [UInt8] {
    /// Without zeros at the end, and with at least one digit before the point.
    ///
    /// - Parameter isFloat: whether a whole number is written with `.0`, as buckets' bounds are.
    mutating func append(_ number: MetricNumber, isFloat: Bool = false) {
        if number.isNegative { append(UInt8(ascii: "-")) }
        var (rest, places, scale) = (number.magnitude, number.places, UInt64(1))
        while places > 0, rest % 10 == 0 {
            rest /= 10
            places -= 1
        }
        for _ in 0..<places { scale *= 10 }
        append(decimal: rest / scale, atLeast: 1)
        if places > 0 {
            append(UInt8(ascii: "."))
            append(decimal: rest % scale, atLeast: places)
        } else if isFloat {
            append(UInt8(ascii: "."))
            append(UInt8(ascii: "0"))
        }
    }

    private mutating func append(decimal value: UInt64, atLeast digits: Int) {
        var (divisor, count) = (UInt64(1), 1)
        while value / divisor >= 10 {
            divisor *= 10
            count += 1
        }
        for _ in count..<Swift.max(count, digits) { append(UInt8(ascii: "0")) }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}
