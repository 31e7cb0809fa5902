package import HTTPMessage
package import TunnelConfiguration

/// Who calls: the address that connected, or the one that a proxy which we trust names for it.
package struct CallerAddress: Sendable, Hashable {
    /// Longest chain of proxies that is followed.
    private static let longestChain = 32

    /// As text, IPv6 without brackets.
    package let text: String
    /// Whether the caller is on this machine, as far as that can be known: one that a proxy here speaks for is not,
    /// whatever it says.
    package let isLocal: Bool

    /// - Parameters:
    ///   - peer: the address that connected.
    ///   - fields: of the request. Each proxy adds to `X-Forwarded-For` the address that connected to it, so the
    ///     list is read from its end for as long as those who wrote it are trusted.
    package init(peer: String, _ fields: HeaderFields, trusted: [AddressRange]) {
        let chain = fields.values(.xForwardedFor)
            .flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
            .map { Self.address(in: $0) }
        let isTrusted = { (address: String) in trusted.contains { $0.contains(address) } }
        var caller = peer
        var isKnown = chain.isEmpty || isTrusted(peer)
        for next in chain.reversed().prefix(Self.longestChain) where isTrusted(caller) {
            guard let next else {
                isKnown = false
                break
            }
            caller = next
        }
        if chain.isEmpty, fields.first(named: "Forwarded") != nil || fields.first(named: "X-Real-IP") != nil {
            isKnown = false
        }
        text = caller
        isLocal = isKnown && Self.loopback.contains { $0.contains(caller) }
    }

    /// An address without the port that some proxies add; nil for what is none.
    private static func address(in entry: Substring) -> String? {
        var text = entry.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        if text.first == "[" {
            text = text.dropFirst().prefix { $0 != "]" }
        } else if text.count(where: { $0 == ":" }) == 1 {
            text = text.prefix { $0 != ":" }
        }
        return AddressRange(text).map { _ in String(text) }
    }

    private static let loopback = ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) }
}
