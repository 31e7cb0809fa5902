import X509

/// IP addresses as text (RFC 4291 §2.2), without asking the system.
enum IPAddressText {
    /// - Returns: 4 or 16 bytes in network order, or nil when the text is no address. IPv6 stands without brackets
    ///   and zone; IPv4 has four decimal numbers without leading zeros, which some read as octal.
    static func bytes(of text: String) -> [UInt8]? {
        AddressText.bytes(of: text[...])
    }

    /// Whether 16 bytes are an IPv4 address in IPv6's clothes.
    static func isMapped(_ bytes: [UInt8]) -> Bool {
        bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
    }

    /// A plain decimal number without sign or leading zero.
    static func decimal(_ digits: some StringProtocol, upTo limit: Int) -> Int? {
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.utf8.count == 1 || digits.utf8.first != 0x30, let number = Int(digits), number <= limit
        else { return nil }
        return number
    }

    /// The usual way to write an address; groups of zeros in IPv6 are not shortened.
    static func text(of bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        return stride(from: 0, to: bytes.count - 1, by: 2)
            .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
            .joined(separator: ":")
    }
}
