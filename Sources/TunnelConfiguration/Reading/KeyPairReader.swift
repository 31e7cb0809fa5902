import X509

extension MappingReader {
    /// How long before the end of a certificate's time it is warned of, in seconds.
    private static let warningTime = ServedCertificate.warningTime
    /// Browsers and authorities take no shorter ones.
    private static let leastRSABits = 2048

    /// A certificate and its private key, read and checked.
    ///
    /// - Returns: nil when none is named, none is read (offline), or it is not usable, which is recorded.
    func keyPair(
        _ chainKey: ScalarKey<String?>, _ keyKey: ScalarKey<String?>, _ passwordKeys: SecretKeys
    ) -> (pair: KeyPair, certificate: X509Certificate?)? {
        let password = secret(passwordKeys)
        guard let chainPath = resolvedPath(chainKey), let chainField = field(chainKey.declaration) else {
            if let field = field(keyKey.declaration), !misses(chainKey.declaration) {
                pass.error(
                    at: field.place, field.path, "there is a key and no certificate",
                    advice: "name its file in \"\(chainKey.declaration.name)\"")
            }
            return nil
        }
        let keyField = field(keyKey.declaration) ?? chainField
        let keyPath = resolvedPath(keyKey) ?? chainPath
        guard !isOffline, let chain = certificates(in: chainPath, chainField),
            let key = privateKey(in: keyPath, keyField)
        else { return nil }
        guard password != nil || !key.isEncrypted else {
            pass.error(
                at: keyField.place, keyField.path, "the private key is encrypted",
                advice: "add \"\(passwordKeys.literal.name)-file\" with its password")
            return nil
        }
        let pair = KeyPair(
            chain: chain.file, keyPath: keyPath, key: key.text, password: password.map { Secret($0.text) })
        if let fault = pass.source.fault(of: pair) {
            let isOfPassword = fault == .wrongPassword
            pass.error(
                at: keyField.place, keyField.path, fault.message(keyPath),
                advice: isOfPassword ? "correct \"\(passwordKeys.literal.name)\"" : fault.advice)
            return nil
        }
        warnOf(chain.certificates, at: chainField)
        return (pair, chain.certificates.first)
    }

    /// Certificates that authorities are known by.
    ///
    /// - Returns: nil when no file is named, none is read (offline), or it is not usable, which is recorded.
    func authorities(_ key: ScalarKey<String?>) -> CertificateFile? {
        guard let path = resolvedPath(key), let field = field(key.declaration), !isOffline,
            let read = certificates(in: path, field)
        else { return nil }
        warnOfTimes(read.certificates, at: field)
        if !read.certificates.isEmpty, !read.certificates.contains(where: { $0.issuer == $0.subject }) {
            pass.warning(
                at: field.place, field.path,
                "none of the certificates in \(Quotation.of(path)) signs itself, so nothing that they vouch for is taken",
                advice: "add the authority's above them, up to the one that signs itself")
        }
        return read.file
    }

    private func certificates(
        in path: String, _ field: Field
    ) -> (file: CertificateFile, certificates: [X509Certificate])? {
        guard let bytes = fileBytes(path, field) else { return nil }
        do {
            let blocks = try PEM.blocks(in: bytes).filter { $0.label.hasSuffix("CERTIFICATE") }
            guard !blocks.isEmpty else {
                pass.error(
                    at: field.place, field.path, "\(Quotation.of(path)) holds no PEM certificate",
                    advice: "name a file with a BEGIN CERTIFICATE line")
                return nil
            }
            // What cannot be looked at here is the TLS library's to judge.
            let certificates = blocks.compactMap { try? X509Certificate(der: $0.bytes) }
            return (
                CertificateFile(path: path, pem: Self.withoutKeys(bytes)),
                certificates.count == blocks.count ? certificates : []
            )
        } catch {
            pass.error(
                at: field.place, field.path,
                "cannot read certificates from \(Quotation.of(path)): \(error)",
                advice: "name a PEM file with a certificate that is whole")
            return nil
        }
    }

    /// The lines of its certificates alone: the same file may hold a private key.
    private static func withoutKeys(_ bytes: [UInt8]) -> [UInt8] {
        var kept: [UInt8] = []
        var isInside = false
        for line in bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
            let text = String(decoding: line, as: UTF8.self)
            if text.contains("-----BEGIN "), text.contains("CERTIFICATE-----") { isInside = true }
            if isInside { kept += Array(text.drop { $0 == "\u{feff}" }.utf8) + [0x0a] }
            if text.contains("-----END ") { isInside = false }
        }
        return kept
    }

    /// A private key, as PEM.
    private struct PrivateKey {
        let text: Secret
        let isEncrypted: Bool
    }

    private func privateKey(in path: String, _ field: Field) -> PrivateKey? {
        guard let bytes = secretBytes(at: path, field, sizeLimit: LoadingPass.secretSizeLimit * 16) else {
            return nil
        }
        let blocks = (try? PEM.blocks(in: bytes)) ?? []
        guard let key = blocks.first(where: { $0.label.hasSuffix("PRIVATE KEY") }) else {
            pass.error(
                at: field.place, field.path, "\(Quotation.of(path)) holds no PEM private key",
                advice: "name a file with a BEGIN PRIVATE KEY line")
            return nil
        }
        return PrivateKey(
            text: Secret(String(decoding: bytes, as: UTF8.self)), isEncrypted: key.isEncrypted)
    }

    private func fileBytes(_ path: String, _ field: Field) -> [UInt8]? {
        switch pass.readFile(path, sizeLimit: LoadingPass.passwordsSizeLimit) {
        case .success(let file): return file.bytes
        case .failure(let error):
            pass.error(
                at: field.place, field.path, "cannot read \(Quotation.of(path)): \(error)",
                advice: error.fileAdvice)
            return nil
        }
    }

    private func warnOf(_ chain: [X509Certificate], at field: Field) {
        if let fault = ChainFault.of(chain) {
            pass.warning(
                at: field.place, field.path, "\(fault)",
                advice: "put the certificate first, and behind it each one that vouches for the one before")
        }
        if let leaf = chain.first, let bits = leaf.rsaBits, bits < Self.leastRSABits {
            pass.warning(
                at: field.place, field.path,
                "the key of \(leaf.subject) is RSA with \(bits) bits, which few take",
                advice: "make one with \(Self.leastRSABits) bits, or an EC key")
        }
        warnOfTimes(chain, at: field)
    }

    private func warnOfTimes(_ chain: [X509Certificate], at field: Field) {
        let now = pass.source.now
        for certificate in chain {
            let subject = certificate.subject
            switch certificate.validity(at: now) {
            case .expired:
                pass.warning(
                    at: field.place, field.path,
                    "the certificate of \(subject) expired on \(CalendarDate.text(certificate.notAfter))",
                    advice: "renew it: nobody who looks at it takes it")
            case .notYet:
                pass.warning(
                    at: field.place, field.path,
                    "the certificate of \(subject) is good from \(CalendarDate.text(certificate.notBefore)) on only",
                    advice: "is the clock right?")
            case .valid where certificate.notAfter - now < Self.warningTime:
                pass.warning(
                    at: field.place, field.path,
                    "the certificate of \(subject) expires on \(CalendarDate.text(certificate.notAfter))",
                    advice: "renew it")
            case .valid: break
            }
        }
    }
}

/// Why a private key is of no use for a certificate.
package enum KeyPairFault: Hashable, Sendable {
    case wrongPassword
    case isNoKey(String)
    /// It is another certificate's.
    case mismatch
    case badCertificate(String)

    fileprivate func message(_ path: String) -> String {
        switch self {
        case .wrongPassword: "the password does not open the private key in \(Quotation.of(path))"
        case .isNoKey(let reason): "cannot read the private key in \(Quotation.of(path)): \(reason)"
        case .mismatch: "the private key in \(Quotation.of(path)) is another certificate's"
        case .badCertificate(let reason): "the certificate cannot be used: \(reason)"
        }
    }

    fileprivate var advice: String? {
        switch self {
        case .mismatch:
            "name the two files that were made together; the certificate itself comes first in its file"
        case .wrongPassword, .isNoKey, .badCertificate: nil
        }
    }
}

extension X509Certificate {
    /// Of an RSA key.
    fileprivate var rsaBits: Int? {
        keyDescription.hasPrefix("RSA ") ? Int(keyDescription.dropFirst("RSA ".count)) : nil
    }
}
