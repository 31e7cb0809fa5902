package import NIOCore
import NIOSSL
package import X509

/// Who a peer of a listener is, as its verified certificate says.
package struct PeerCertificate: Hashable, Sendable {
    /// Longest name that is repeated, in bytes.
    private static let longestName = 512

    /// What it is called in logs and towards origins: the common name, or else the first alternative one. Two names that
    /// differ are not written alike: what is no visible ASCII stands there percent-encoded. Behind `%` and a small letter
    /// stands what is no name: `%key:` and the pin, where the name is too long or there is none.
    package let name: String
    /// All its names.
    package let names: Set<String>
    /// When its time ends, in seconds since 1970.
    package let notAfter: Int

    package init(_ certificate: X509Certificate) {
        let alternatives = certificate.dnsNames + certificate.emails + certificate.uris
        let common = certificate.subject.commonName.flatMap { $0.isEmpty ? nil : $0 }
        let name = (common ?? alternatives.first).map(Self.plain)
        self.name =
            name.flatMap { $0.utf8.count > Self.longestName ? nil : $0 } ?? "%key:\(certificate.pin)"
        names = Set(alternatives + [common].compactMap(\.self))
        notAfter = certificate.notAfter
    }

    /// One that the TLS library has found good, and of which nothing can be read here.
    private init() {
        name = "%unreadable"
        names = []
        notAfter = .max
    }

    /// What the peer of a connection has shown, as soon as it has come; nil where it has shown none.
    package static func of(_ pipeline: ChannelPipeline.SynchronousOperations) -> X509Certificate? {
        guard let certificate = try? pipeline.nioSSL_peerCertificate() else { return nil }
        return try? X509Certificate(der: certificate.toDERBytes())
    }

    /// The same of who has proved to be there, once the handshake is done.
    package static func shown(in pipeline: ChannelPipeline.SynchronousOperations) -> PeerCertificate? {
        guard let certificate = try? pipeline.nioSSL_peerCertificate() else { return nil }
        let read = try? X509Certificate(der: certificate.toDERBytes())
        return read.map(PeerCertificate.init) ?? PeerCertificate()
    }

    private static func plain(_ name: String) -> String {
        let bytes = Array(name.utf8)
        let isEdge = { (index: Int) in index == 0 || index == bytes.count - 1 }
        var text = ""
        for (index, byte) in bytes.enumerated() {
            let isPlain = (0x21...0x7e).contains(byte) || (byte == 0x20 && !isEdge(index))
            if isPlain, byte != UInt8(ascii: "%") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
