/// A session, seen from one of its ends. Holds no secret.
///
/// Property names are those of the JSON; times are seconds since 1970.
package struct SessionSnapshot: Codable, Hashable, Sendable {
    /// The same in log lines: of a server's sessions unique at that server, of a tunnel client's in the process.
    package var id: UInt64
    /// The tunnel server that it is with; nil at a tunnel client.
    package var server: String?
    /// The tunnel; at a server the name that its client announces, empty from clients of protocol v1.
    package var tunnel: String
    package var tokenHint: String
    /// At a server: tells apart tokens that begin alike. It means nothing beyond the life of the process.
    package var tokenTag: String?
    /// Of the peer; at a tunnel client the URL of its server.
    package var address: String
    /// Its reverse DNS name, once it is known.
    package var addressName: String?
    /// Of the peer.
    package var software: String?
    /// In the certificate that the peer has shown.
    package var certificateName: String?
    package var transport: ConnectionSnapshot.Transport
    package var protocolVersion: Int
    package var since: Int
    /// When the peer was last heard of.
    package var heardAt: Int?
    /// Requests that it carries now; nil where that is not counted.
    package var streams: Int?
    /// Whether it takes no new requests.
    package var isDraining: Bool

    package init(
        id: UInt64, server: String? = nil, tunnel: String, tokenHint: String, tokenTag: String? = nil,
        address: String, addressName: String? = nil, software: String? = nil, certificateName: String? = nil,
        transport: ConnectionSnapshot.Transport, protocolVersion: Int, since: Int, heardAt: Int? = nil,
        streams: Int? = nil, isDraining: Bool
    ) {
        self.id = id
        self.server = server
        self.tunnel = tunnel
        self.tokenHint = tokenHint
        self.tokenTag = tokenTag
        self.address = address
        self.addressName = addressName
        self.software = software
        self.certificateName = certificateName
        self.transport = transport
        self.protocolVersion = protocolVersion
        self.since = since
        self.heardAt = heardAt
        self.streams = streams
        self.isDraining = isDraining
    }
}
