/// Who an address counts as, wherever something is bounded for each address: an IPv4 address for itself, also where it
/// comes as IPv6 (`::ffff:192.0.2.1`); of an IPv6 address its first 64 bits, as whoever has one address of such a network
/// has them all (RFC 4291 §2.5.1, RFC 6177).
package enum AddressGroup: Hashable, Sendable, CustomStringConvertible {
    case ipv4(UInt32)
    case ipv6(network: UInt64)
    /// Whatever has no IP address: all of it together.
    case unknown

    /// - Parameter address: as text, IPv6 without brackets; a zone (`%eth0`) does not count.
    package init(_ address: String) {
        guard let bytes = IPAddressText.bytes(of: String(address.prefix { $0 != "%" })) else {
            self = .unknown
            return
        }
        let number = { (part: ArraySlice<UInt8>) in part.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        if bytes.count == 4 || IPAddressText.isMapped(bytes) {
            self = .ipv4(UInt32(truncatingIfNeeded: number(bytes.suffix(4))))
        } else {
            self = .ipv6(network: number(bytes.prefix(8)))
        }
    }

    /// `192.0.2.1`, or the network: `2001:db8:0:1::/64`.
    package var description: String {
        switch self {
        case .ipv4(let number):
            IPAddressText.text(of: (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) })
        case .ipv6(let network):
            IPAddressText.text(of: (0..<8).map { UInt8(truncatingIfNeeded: network >> (56 - 8 * $0)) })
                + "::/64"
        case .unknown: "unknown"
        }
    }
}
