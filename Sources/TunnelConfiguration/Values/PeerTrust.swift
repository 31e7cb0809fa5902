/// What makes a TLS server one that a tunnel believes.
package struct PeerTrust: Hashable, Sendable {
    /// Whether certificates go unverified.
    package var isInsecure: Bool
    /// Further trusted roots, or nil.
    package var certificates: CertificateFile?
    /// SHA-256 of the public keys of which the server must have one, in base64; empty for any key.
    package var pins: Set<String>
    /// The name that the certificate must be for, and that is asked for, where that is not the host's; or nil.
    package var serverName: String?

    package init(
        isInsecure: Bool = false, certificates: CertificateFile? = nil, pins: Set<String> = [],
        serverName: String? = nil
    ) {
        self.isInsecure = isInsecure
        self.certificates = certificates
        self.pins = pins
        self.serverName = serverName
    }

    /// Whether a chain to somebody trusted is asked for: a pin alone says whom to trust.
    package var verifiesChain: Bool { !isInsecure && (pins.isEmpty || certificates != nil) }
}

/// What makes certain origins ones that a tunnel believes.
package struct OriginTrust: Hashable, Sendable {
    /// The hosts, in lower case, `*.` in front for any one label; nil for every origin.
    package var host: String?
    package var trust: PeerTrust

    package init(host: String?, trust: PeerTrust) {
        self.host = host
        self.trust = trust
    }

    /// - Parameter origin: a host name or address.
    package func holds(for origin: String) -> Bool {
        guard let host else { return true }
        var origin = origin.lowercased()[...]
        if origin.last == "." { origin.removeLast() }
        guard host.hasPrefix("*.") else { return origin == host }
        guard let dot = origin.firstIndex(of: "."), dot > origin.startIndex else { return false }
        return origin[dot...] == host.dropFirst()
    }
}
