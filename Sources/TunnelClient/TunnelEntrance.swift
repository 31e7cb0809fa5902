package import HTTPMessage

/// How a request came to the tunnel, as its server tells.
package struct TunnelEntrance: Sendable {
    /// Whether it came by its `Host`, which the server lists.
    package let isHostListed: Bool
    /// What stood in front of its path.
    package let prefix: PublicPrefix

    /// Of a server that tells nothing, or of a request by token where nothing stood in front.
    package init(isHostListed: Bool = false, prefix: PublicPrefix = PublicPrefix()) {
        self.isHostListed = isHostListed
        self.prefix = prefix
    }

    /// - Parameter fields: as they come out of the tunnel, from a server that lets no caller write what it tells.
    package init(_ fields: HeaderFields) {
        isHostListed = fields.contains(.xTunnelHost)
        prefix = fields[.xTunnelPublic].map { PublicPrefix(fieldValue: $0) } ?? PublicPrefix()
    }
}
