import X509

/// One end of a connection as a PROXY header names it: an IP address and a port.
package struct ProxyEndpoint: Hashable, Sendable {
    /// 4 or 16 bytes in network order. What is IPv4 in IPv6's clothes (`::ffff:192.0.2.1`) is IPv4 here.
    package let address: [UInt8]
    /// 0 where it is not known.
    package let port: UInt16

    /// - Parameter address: in network order.
    /// - Returns: nil unless it has 4 or 16 bytes.
    package init?(address: some Collection<UInt8>, port: UInt16) {
        guard address.count == 4 || address.count == 16 else { return nil }
        let isMapped = address.count == 16 && address.starts(with: Self.mappedPrefix)
        self.address = Array(isMapped ? address.suffix(4) : address[...])
        self.port = port
    }

    /// - Parameter text: an address, IPv6 without brackets; a zone (`%eth0`) does not count.
    /// - Returns: nil when it is none.
    package init?(_ text: some StringProtocol, port: UInt16 = 0) {
        let plain = Substring(text.prefix { $0 != "%" })
        guard let bytes = AddressText.bytes(of: plain) else { return nil }
        self.init(address: bytes, port: port)
    }

    /// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`, as proxies write them into
    /// `X-Forwarded-For`; blanks around it do not count.
    ///
    /// - Returns: nil when it is none.
    package init?(entry: some StringProtocol) {
        var text = Substring(entry.drop { $0 == " " || $0 == "\t" })
        while text.last == " " || text.last == "\t" { text.removeLast() }
        var port = Substring()
        if text.first == "[" {
            let inner = text.dropFirst().prefix { $0 != "]" }
            port = text[inner.endIndex...].dropFirst()
            guard text[inner.endIndex...].first == "]", port.isEmpty || port.first == ":" else { return nil }
            text = inner
        } else if text.utf8.count(where: { $0 == UInt8(ascii: ":") }) == 1 {
            let front = text.prefix { $0 != ":" }
            port = text[front.endIndex...]
            text = front
        }
        self.init(text, port: Self.port(port.dropFirst()) ?? 0)
    }

    /// The address as text (RFC 5952), IPv6 without brackets.
    package var addressText: String { AddressText.text(of: address) ?? "" }

    /// The 16 bytes by which IPv6 knows the address.
    var asIPv6: [UInt8] { address.count == 4 ? Self.mappedPrefix + address : address }

    /// Whether the address is an IPv4 address.
    var isIPv4: Bool { address.count == 4 }

    /// A port as it is written: decimal, without sign and leading zero.
    static func port(_ digits: Substring) -> UInt16? {
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }),
            digits.utf8.count == 1 || digits.utf8.first != 0x30
        else { return nil }
        return UInt16(digits)
    }

    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
}
