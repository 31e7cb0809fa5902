/// TLS of servers and tunnels.
extension ConfigurationRendering {
    static func write(
        _ tls: ListenerTLS, _ redirect: ServerConfiguration?, to text: inout ConfigurationText
    ) {
        text.line(4, "\(Keys.tls.name):")
        writeCertificates(tls, 6, to: &text)
        text.entry(6, TLSKeys.clientCertificates, plain: tls.callers.rawValue)
        text.entry(6, TLSKeys.tunnelCertificates, plain: tls.tunnelClients.rawValue)
        text.entry(6, TLSKeys.tellsOrigins, plain: tls.tellsOrigins)
        text.entry(6, TLSKeys.minimumVersion, text: tls.minimumVersion.rawValue)
        text.entry(6, TLSKeys.redirectHTTP, plain: redirect?.port)
        text.entry(6, TLSKeys.challenges, text: redirect?.redirect?.challenges)
    }

    /// What is shown, and who vouches for what others show.
    static func writeCertificates(
        _ tls: ListenerTLS, _ indentation: Int, to text: inout ConfigurationText
    ) {
        text.line(indentation, "\(TLSKeys.certificates.name):")
        let keys = (key: TLSKeys.keyFile, password: TLSKeys.keyPassword)
        for certificate in tls.certificates {
            let file = ConfigurationText.quoted(certificate.keyPair.chain.path)
            text.line(indentation + 2, "- \(TLSKeys.certFile.declaration.name): \(file)")
            text.texts(indentation + 4, TLSKeys.certificateHosts, Array(certificate.hosts))
            writeKey(of: certificate.keyPair, indentation + 4, keys.key, keys.password, to: &text)
        }
        text.entry(indentation, TLSKeys.clientAuthority, text: tls.clientAuthority?.path)
    }

    static func write(
        _ pair: KeyPair?, _ indentation: Int,
        _ keys: (chain: ScalarKey<String?>, key: ScalarKey<String?>, password: SecretKeys),
        to text: inout ConfigurationText
    ) {
        guard let pair else { return }
        text.entry(indentation, keys.chain, text: pair.chain.path)
        writeKey(of: pair, indentation, keys.key, keys.password, to: &text)
    }

    private static func writeKey(
        of pair: KeyPair, _ indentation: Int, _ key: ScalarKey<String?>, _ password: SecretKeys,
        to text: inout ConfigurationText
    ) {
        text.entry(indentation, key, text: pair.keyPath)
        if pair.password != nil { text.secret(indentation, password.literal) }
    }

    static func write(
        _ trust: PeerTrust, _ indentation: Int, besidesInsecure: Bool = true, to text: inout ConfigurationText
    ) {
        if besidesInsecure { text.entry(indentation, Keys.insecure, plain: trust.isInsecure) }
        text.entry(indentation, Keys.certFile, text: trust.certificates?.path)
        text.texts(indentation, TLSKeys.pins, Array(trust.pins))
        text.entry(indentation, TLSKeys.serverName, text: trust.serverName)
    }
}
