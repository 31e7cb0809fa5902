/// A host name as a tunnel client asks for it.
package enum ClaimedHost {
    /// RFC 1035 §2.3.4.
    package static let longest = 253
    private static let longestLabel = 63

    /// - Parameters:
    ///   - text: a whole name, or a label of one right below the domain.
    ///   - domain: in lower case; nil where there is none.
    /// - Returns: in lower case, without the dot of the root; nil for what is no name of a host, an IP address included.
    package static func name(of text: String, domain: String?) -> String? {
        guard text.utf8.count <= longest + 1 else { return nil }
        var name = text.lowercased()
        if name.last == "." { name.removeLast() }
        if !name.contains(".") {
            guard let domain else { return nil }
            name += ".\(domain)"
        }
        guard name.utf8.count <= longest else { return nil }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.allSatisfy(isLabel), labels.last?.utf8.contains(where: { !isDigit($0) }) == true else {
            return nil
        }
        return name
    }

    /// Letters, digits and hyphens (RFC 1123 §2.1); underscores, which some use.
    private static func isLabel(_ label: Substring) -> Bool {
        guard (1...longestLabel).contains(label.utf8.count), label.first != "-", label.last != "-" else {
            return false
        }
        return label.utf8.allSatisfy { isDigit($0) || (0x61...0x7a).contains($0) || $0 == 0x2d || $0 == 0x5f }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
