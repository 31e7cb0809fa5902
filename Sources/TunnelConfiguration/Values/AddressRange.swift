/// One IP address, or all that share their first bits (CIDR, RFC 4632).
///
/// An IPv4 address that comes as IPv6 (`::ffff:192.0.2.1`), as it does on a socket that takes both, is IPv4 here.
package struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes; those beyond the prefix are 0.
    package let network: [UInt8]
    package let prefixLength: Int

    /// Whether a text is one IP address, IPv6 without brackets.
    package static func isAddress(_ text: some StringProtocol) -> Bool {
        !text.contains("/") && AddressRange(text) != nil
    }

    /// Whether only this machine can reach a host. A name other than `localhost` may stand for anything.
    package static func isLoopback(_ host: String) -> Bool {
        host.lowercased() == "localhost" || loopbacks.contains { $0.contains(host) }
    }

    private static let loopbacks = ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) }

    /// Reads `192.0.2.1`, `10.0.0.0/8`, `2001:db8::1` or `2001:db8::/32`; bits beyond the prefix do not count.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = IPAddressText.bytes(of: String(parts[0])) else { return nil }
        var length = whole.count * 8
        if parts.count == 2 {
            guard let number = IPAddressText.decimal(parts[1], upTo: length) else { return nil }
            length = number
        }
        let isMapped = whole.count == 16 && length >= 96 && IPAddressText.isMapped(whole)
        let address = isMapped ? Array(whole.suffix(4)) : whole
        prefixLength = isMapped ? length - 96 : length
        var bitsLeft = prefixLength
        network = address.map { byte in
            let kept = max(0, min(8, bitsLeft))
            bitsLeft -= 8
            return byte & ~UInt8(truncatingIfNeeded: 0xff >> kept)
        }
    }

    /// - Parameter bytes: an address in network order: 4 bytes, or 16.
    package func contains(_ bytes: [UInt8]) -> Bool {
        let address = IPAddressText.isMapped(bytes) ? Array(bytes.suffix(4)) : bytes
        guard address.count == network.count else { return false }
        let whole = prefixLength / 8
        guard address[..<whole] == network[..<whole] else { return false }
        let rest = prefixLength % 8
        return rest == 0 || (address[whole] ^ network[whole]) >> (8 - rest) == 0
    }

    /// - Parameter address: an address as text, IPv6 without brackets; a zone (`%eth0`) does not count. What is no
    ///   address is in no range.
    package func contains(_ address: some StringProtocol) -> Bool {
        IPAddressText.bytes(of: String(address.prefix { $0 != "%" })).map(contains) ?? false
    }

    package var description: String {
        let address = IPAddressText.text(of: network)
        return prefixLength == network.count * 8 ? address : "\(address)/\(prefixLength)"
    }
}
