/// The protocols for which a request would leave HTTP (RFC 9110 §7.8), as far as they may pass a tunnel.
///
/// Those under which HTTP goes on, encrypted or in other frames, may not: who asked for one (`Upgrade: h2c` is what many
/// programs try by themselves) sends more requests on the same connection, for whatever host and token, and the
/// origin would have them all. Without them a request is an ordinary one, as the RFC allows.
package struct UpgradeOffer: Sendable, Hashable {
    /// As the caller wrote them, in its order.
    package let protocols: [String]

    /// Nothing is offered.
    package init() { protocols = [] }

    init(_ protocols: [String]) { self.protocols = protocols.filter { Self.mayPass($0) } }

    package var isEmpty: Bool { protocols.isEmpty }

    /// What the field `Upgrade` says.
    package var fieldValue: String { protocols.joined(separator: ", ") }

    /// Whether a 101 with these fields switches to protocols that were offered, and to nothing else.
    package func allows(_ answer: HeaderFields) -> Bool {
        let chosen = answer.elements(.upgrade).map { $0.lowercased() }
        return !chosen.isEmpty && chosen.allSatisfy { name in protocols.contains { $0.lowercased() == name } }
    }

    private static func mayPass(_ text: String) -> Bool {
        let name = text.prefix { $0 != "/" }.lowercased()
        return !["h2c", "h2", "h3", "http", "tls"].contains(name)
    }
}

extension RequestHead {
    /// What the caller offers; empty for nearly every request.
    package var upgradeOffer: UpgradeOffer {
        asksForUpgrade ? UpgradeOffer(fields.elements(.upgrade)) : UpgradeOffer()
    }
}
