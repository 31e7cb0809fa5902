package import HTTPMessage
package import TunnelConfiguration

/// Who calls: the address that connected, or the one that a proxy which we trust names for it.
package struct CallerAddress: Sendable {
    /// Longest chain of proxies that is followed.
    private static let longestChain = 32

    /// As text, IPv6 without brackets.
    package let text: String
    /// Whether the address that connected is a proxy which we trust.
    package let isPeerTrusted: Bool
    /// Whether everybody who is said to stand between us and the caller could be followed.
    private let isChainKnown: Bool
    private let fields: HeaderFields

    /// - Parameters:
    ///   - peer: the address that connected.
    ///   - fields: of the request. Each proxy adds to `X-Forwarded-For` the address that connected to it, so the
    ///     list is read from its end for as long as those who wrote it are trusted.
    package init(peer: String, _ fields: HeaderFields, trusted: [AddressRange]) {
        self.fields = fields
        let isTrusted = { (address: String) in trusted.contains { $0.contains(address) } }
        isPeerTrusted = isTrusted(peer)
        let isForwarded = fields.contains(.xForwardedFor)
        guard isForwarded, isPeerTrusted else {
            text = peer
            isChainKnown = !isForwarded
            return
        }
        let entries = fields.values(.xForwardedFor)
            .flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        var caller = peer
        var isKnown = true
        for entry in entries.reversed().prefix(Self.longestChain) where isTrusted(caller) {
            guard let next = Self.address(in: entry) else {
                isKnown = false
                break
            }
            caller = next
        }
        text = caller
        isChainKnown = isKnown
    }

    /// Whether the caller is on this machine, as far as that can be known: one that a proxy here speaks for is not,
    /// whatever it says.
    package var isLocal: Bool {
        guard isChainKnown, Self.loopback.contains(where: { $0.contains(text) }) else { return false }
        return fields.contains(.xForwardedFor)
            || !fields.contains(.forwarded) && !fields.contains(.xRealIP)
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
