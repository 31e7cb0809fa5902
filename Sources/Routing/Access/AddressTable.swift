package import TunnelConfiguration

/// Addresses and ranges of them, looked through by halves: the time for one address does not grow with their number.
package struct AddressTable: Sendable {
    /// From the first address of a range to its last one. Sorted, and none touches another.
    private let ipv4: [ClosedRange<UInt32>]
    private let ipv6: [ClosedRange<UInt128>]

    package init(_ ranges: [AddressRange]) {
        var ipv4: [ClosedRange<UInt32>] = []
        var ipv6: [ClosedRange<UInt128>] = []
        for range in ranges {
            if range.network.count == 4 {
                let first = range.network.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                ipv4.append(first...(first | UInt32.max.shifted(by: range.prefixLength)))
            } else {
                let first = range.network.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
                ipv6.append(first...(first | UInt128.max.shifted(by: range.prefixLength)))
            }
        }
        self.ipv4 = Self.joined(ipv4)
        self.ipv6 = Self.joined(ipv6)
    }

    package var isEmpty: Bool { ipv4.isEmpty && ipv6.isEmpty }

    package func contains(_ address: Address) -> Bool {
        switch address {
        case .ipv4(let number): Self.contains(number, in: ipv4)
        case .ipv6(let number): Self.contains(number, in: ipv6)
        case .unknown: false
        }
    }

    /// An address as a number.
    package enum Address: Hashable, Sendable {
        /// Also one that comes as IPv6 (`::ffff:192.0.2.1`).
        case ipv4(UInt32)
        case ipv6(UInt128)
        /// What is none: it is in no range.
        case unknown

        /// - Parameter text: IPv6 without brackets; a zone (`%eth0`) does not count.
        package init(_ text: String) {
            guard !text.utf8.contains(UInt8(ascii: "/")), let range = AddressRange(text.prefix { $0 != "%" })
            else {
                self = .unknown
                return
            }
            if range.network.count == 4 {
                self = .ipv4(range.network.reduce(0) { $0 << 8 | UInt32($1) })
            } else {
                self = .ipv6(range.network.reduce(0) { $0 << 8 | UInt128($1) })
            }
        }
    }

    private static func joined<Number: FixedWidthInteger>(
        _ ranges: [ClosedRange<Number>]
    ) -> [ClosedRange<Number>] {
        var joined: [ClosedRange<Number>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let last = joined.last, range.lowerBound <= last.upperBound else {
                joined.append(range)
                continue
            }
            joined[joined.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
        }
        return joined
    }

    private static func contains<Number: FixedWidthInteger>(
        _ number: Number, in ranges: [ClosedRange<Number>]
    ) -> Bool {
        // The last range that begins at or before it is the only one that can hold it.
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= number { low = middle + 1 } else { high = middle }
        }
        return low > 0 && number <= ranges[low - 1].upperBound
    }
}

extension FixedWidthInteger {
    /// Its bits behind a prefix of that length.
    fileprivate func shifted(by prefixLength: Int) -> Self {
        prefixLength >= Self.bitWidth ? 0 : self & ((Self.max) >> Self(prefixLength))
    }
}
