/// The facts of a certificate that messages, checks, names of clients and pins need (RFC 5280).
///
/// This module decides nothing about trust: no signature is verified here, no path is built. Strict where we read, so
/// that nothing has two readings; what we do not read is skipped.
package struct X509Certificate: Hashable, Sendable, CustomStringConvertible {
    /// Most bytes of one.
    package static let largest = 256 << 10

    package let der: [UInt8]
    package let subject: DistinguishedName
    package let issuer: DistinguishedName
    /// The first second in which it is valid, since 1970.
    package let notBefore: Int
    /// The last second in which it is valid, since 1970.
    package let notAfter: Int
    /// Whether it may issue others (basicConstraints, §4.2.1.9).
    package let isAuthority: Bool
    /// The SubjectPublicKeyInfo in DER.
    package let publicKeyInfo: [UInt8]
    /// `RSA 2048`, `EC P-256`, `Ed25519`, or else the algorithm's number.
    package let keyDescription: String

    /// Nil when there is no such extension.
    let alternativeNames: AlternativeNames?

    /// DNS names of the SAN (§4.2.1.6), as they are written, `*.` included. Here, in `emails` and in `uris` is only
    /// what is printable ASCII without spaces.
    package var dnsNames: [String] { alternativeNames?.dnsNames ?? [] }
    /// Addresses of the SAN, as RFC 5952 writes them.
    package var ipAddresses: [String] {
        alternativeNames?.addresses.compactMap { AddressText.text(of: $0) } ?? []
    }
    package var emails: [String] { alternativeNames?.emails ?? [] }
    package var uris: [String] { alternativeNames?.uris ?? [] }

    /// What it is for, to be shown: all names of the SAN in its order, or the common name when it has none. Escaped and
    /// shortened as `DistinguishedName.description` is.
    package var names: [String] {
        if let names = alternativeNames?.shown, !names.isEmpty { return names }
        return subject.commonName.map { [ShownText.escaped($0)] } ?? []
    }

    /// Base64 of the SHA-256 of `publicKeyInfo` (RFC 7469 §2.4).
    package var pin: String { Base64.encode(SHA256.hash(publicKeyInfo)) }

    /// The subject, for messages; what it is for where that has no name.
    package var description: String {
        subject.der.count > 2 ? subject.description : names.first ?? subject.description
    }

    package init(der: [UInt8]) throws(X509Error) {
        guard der.count <= Self.largest else {
            throw X509Error(
                .tooLarge, "no certificate: \(der.count) bytes are more than the limit of \(Self.largest)")
        }
        var file = DERReader(der[...])
        var parts = DERReader(try file.read(DERTag.sequence, "the certificate").content)
        try file.end("the certificate")
        var fields = DERReader(try parts.read(DERTag.sequence, "the signed part").content)
        _ = try parts.read(DERTag.sequence, "the signature's algorithm")
        _ = try parts.read(DERTag.bitString, "the signature")
        try parts.end("the certificate")

        _ = try fields.readIfPresent(DERTag.constructed(0), "the version")
        _ = try fields.read(DERTag.integer, "the serial number")
        _ = try fields.read(DERTag.sequence, "the algorithm")
        issuer = try DistinguishedName(try fields.read(DERTag.sequence, "the issuer"), "the issuer")
        var times = DERReader(try fields.read(DERTag.sequence, "the validity").content)
        notBefore = try Self.time(try times.read("the begin of validity"), "the begin of validity")
        notAfter = try Self.time(try times.read("the end of validity"), "the end of validity")
        try times.end("the validity")
        subject = try DistinguishedName(try fields.read(DERTag.sequence, "the subject"), "the subject")
        let key = try fields.read(DERTag.sequence, "the public key")
        _ = try fields.readIfPresent(DERTag.primitive(1), "the issuer's unique number")
        _ = try fields.readIfPresent(DERTag.primitive(2), "the subject's unique number")
        let extensions = try CertificateExtensions(
            try fields.readIfPresent(DERTag.constructed(3), "the extensions"))
        try fields.end("the signed part")

        self.der = der
        publicKeyInfo = Array(key.whole)
        keyDescription = PublicKeyDescription.text(of: key)
        isAuthority = extensions.isAuthority
        alternativeNames = extensions.alternativeNames
    }

    package static func == (left: Self, right: Self) -> Bool { left.der == right.der }

    package func hash(into hasher: inout Hasher) { hasher.combine(der) }

    private static func time(_ element: DERElement, _ part: StaticString) throws(X509Error) -> Int {
        guard let seconds = CalendarDate.seconds(of: element) else {
            throw .malformed(part, at: element.whole.startIndex, "is no time in UTC")
        }
        return seconds
    }
}

/// How a certificate's time relates to a moment.
package enum Validity: Hashable, Sendable {
    case valid
    case notYet
    case expired
}

extension X509Certificate {
    /// §4.1.2.5: both ends belong to it.
    ///
    /// - Parameter seconds: since 1970.
    package func validity(at seconds: Int) -> Validity {
        if seconds > notAfter { return .expired }
        return seconds < notBefore ? .notYet : .valid
    }
}
