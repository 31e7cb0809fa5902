extension X509Certificate {
    /// Whether it names this host (RFC 9525 §6.3): a DNS name exactly, or by `*.` for one label; an address by its
    /// bytes only. The common name counts when there is no SAN at all. Letter case and a trailing dot do not matter.
    ///
    /// - Parameter host: as in a URL, but IPv6 without brackets; names in their ASCII form.
    package func isFor(host: String) -> Bool {
        let text = host.utf8.last == UInt8(ascii: ".") ? host.dropLast() : host[...]
        if let address = AddressText.bytes(of: text) {
            return alternativeNames?.addresses.contains(address) ?? false
        }
        guard let name = HostName(host) else { return false }
        let names = alternativeNames?.dnsNames ?? subject.commonName.map { [$0] } ?? []
        return names.contains { name.isNamed(by: $0) }
    }
}

/// A DNS name: labels of letters, digits, hyphens and (in use, though against the rules) underscores, in lower case.
private struct HostName {
    private let labels: [ArraySlice<UInt8>]

    /// Nil for everything else, and for what some take for an IPv4 address: `127.1`, `0x7f.1`.
    init?(_ text: some StringProtocol) {
        guard (1...254).contains(text.utf8.count) else { return nil }
        var bytes = text.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy(Self.isLabel), let last = labels.last, !Self.isNumber(last) else {
            return nil
        }
    }

    /// - Parameter presented: a name of the certificate.
    func isNamed(by presented: String) -> Bool {
        if presented.utf8.starts(with: "*.".utf8) {
            guard let parent = HostName(presented.dropFirst(2)) else { return false }
            return labels.dropFirst().elementsEqual(parent.labels)
        }
        return HostName(presented).map { labels == $0.labels } ?? false
    }

    private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
        (1...63).contains(label.count)
            && label.allSatisfy { (0x61...0x7a).contains($0) || isDigit($0) || $0 == 0x2d || $0 == 0x5f }
    }

    private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
        label.allSatisfy(isDigit) || label.starts(with: "0x".utf8)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
