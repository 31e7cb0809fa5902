package import NIOCore
import NIOSSL
package import X509

/// Who a peer of a listener is, as its verified certificate says.
package struct PeerCertificate: Hashable, Sendable {
    /// What it is called in logs and towards origins: the common name, or else the first alternative one.
    package let name: String
    /// All its names.
    package let names: Set<String>

    package init(_ certificate: X509Certificate) {
        let alternatives = certificate.dnsNames + certificate.emails + certificate.uris
        let common = certificate.subject.commonName
        name = Self.plain(common ?? alternatives.first ?? "\(certificate.subject)")
        names = Set(alternatives + [common].compactMap(\.self))
    }

    package init(name: String, names: Set<String>) {
        self.name = name
        self.names = names
    }

    /// What the peer of a connection has shown, once the handshake is done; nil where it has shown none.
    package static func of(_ pipeline: ChannelPipeline.SynchronousOperations) -> X509Certificate? {
        guard let certificate = try? pipeline.nioSSL_peerCertificate() else { return nil }
        return try? X509Certificate(der: certificate.toDERBytes())
    }

    /// A name as it may stand in a field: visible ASCII, anything else as `?`.
    private static func plain(_ name: String) -> String {
        String(
            decoding: name.utf8.prefix(200).map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?") },
            as: UTF8.self)
    }
}
