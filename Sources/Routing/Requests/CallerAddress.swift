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
    /// Whether everybody who is said to stand between us and the caller could be followed, and nobody says otherwise that
    /// there are more.
    private let isChainKnown: Bool
    /// What the outermost proxy that we trust says in `Forwarded` of who called it, where `X-Forwarded-For` is not there.
    package let described: Forwarded.Element?

    /// - Parameters:
    ///   - peer: the address that connected.
    ///   - fields: of the request. Each proxy adds to `X-Forwarded-For` the address that connected to it, so the
    ///     list is read from its end for as long as those who wrote it are trusted; where it is not there, `Forwarded`
    ///     is read so.
    package init(peer: String, _ fields: HeaderFields, trusted: [AddressRange]) {
        let saysMore =
            !fields.contains(.xForwardedFor) && (fields.contains(.forwarded) || fields.contains(.xRealIP))
        let isTrusted = { (address: String) in trusted.contains { $0.contains(address) } }
        isPeerTrusted = isTrusted(peer)
        guard isPeerTrusted else {
            text = peer
            described = nil
            isChainKnown = !fields.contains(.xForwardedFor) && !saysMore
            return
        }
        let isForwarded = fields.contains(.xForwardedFor)
        let hops =
            isForwarded
            ? Self.entries(fields) : fields.contains(.forwarded) ? Self.elements(fields) : []
        var caller = peer
        var described: Forwarded.Element?
        var isKnown = true
        for hop in hops.reversed().prefix(Self.longestChain) where isTrusted(caller) {
            guard let next = Self.address(in: hop.node) else {
                isKnown = false
                break
            }
            caller = next
            described = hop
        }
        text = caller
        isChainKnown = isKnown && !saysMore
        self.described = isForwarded ? nil : described
    }

    private static func entries(_ fields: HeaderFields) -> [Forwarded.Element] {
        fields.values(.xForwardedFor)
            .flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
            .map { Forwarded.Element(node: String($0)) }
    }

    /// What cannot be read names nobody.
    private static func elements(_ fields: HeaderFields) -> [Forwarded.Element] {
        Forwarded.elements(fields.values(.forwarded)) ?? [Forwarded.Element()]
    }

    /// Whether the caller is on this machine, as far as that can be known: one that a proxy here speaks for is not,
    /// whatever it says.
    package var isLocal: Bool {
        isChainKnown && Self.loopback.contains { $0.contains(text) }
    }

    /// An address without the port that some proxies add; nil for what is none.
    private static func address(in node: String?) -> String? {
        guard let text = node.map({ Forwarded.address(in: $0[...]) }) else { return nil }
        return AddressRange(text).map { _ in String(text) }
    }

    private static let loopback = ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) }
}
