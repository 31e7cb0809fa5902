/// The keys that have to do with TLS beyond `certfile` and `insecure` of tunnels.
enum TLSKeys {
    // tls of servers, and its certificates
    static let certFile = ScalarKey<String?>.optional(
        "certfile", .path, "A PEM file with the certificate, and those that vouch for it behind it.",
        TextRule.path)
    static let keyFile = ScalarKey<String?>.optional(
        "keyfile", .path, "A PEM file with the private key; by default certfile holds it too.", TextRule.path)
    static let keyPassword = SecretKeys("keyfile-password", "The password of an encrypted private key.")
    static let pair = [certFile.declaration, keyFile.declaration] + keyPassword.declarations
    static let certificates = KeyDeclaration(
        "certificates", .list(.certificate), "More certificates, for the names that callers ask for.")
    static let certificateHosts = KeyDeclaration(
        "hosts", .texts,
        "The names that it is shown for, such as *.example.com; by default those that stand in it.")
    static let clientAuthority = ScalarKey<String?>.optional(
        "client-ca", .path, "A PEM file with the authorities of the certificates that others show.",
        TextRule.path)
    static let clientCertificates = ScalarKey<ListenerTLS.CertificateDemand>.choice(
        "client-certificates", default: .none, "Whether callers show a certificate.")
    static let tunnelCertificates = ScalarKey<ListenerTLS.CertificateDemand?>.optionalChoice(
        "tunnel-certificates",
        "Whether tunnel clients show a certificate; by default required where there is a client-ca.")
    static let tellsOrigins = ScalarKey<Bool>.boolean(
        "client-certificate-header", default: false,
        "Whether origins are told the name in a caller's certificate, in X-Client-Certificate-Name.")
    static let minimumVersion = ScalarKey<ListenerTLS.MinimumVersion>.choice(
        "minimum-version", default: .v12, "The oldest version of TLS that is spoken.")
    static let redirectHTTP = ScalarKey<Int?>.integer(
        "redirect-http", 1...65_535, "A port with plain HTTP that sends everybody to https.")
    static let challenges = ScalarKey<String?>.optional(
        "acme-challenges", .path,
        "The folder behind /.well-known/acme-challenge/ of redirect-http, for certificate authorities.",
        TextRule.path)

    // inside of what carries tunnels
    static let innerTLSOfServer = KeyDeclaration(
        "inner-tls", .mapping(.serverInnerTLS),
        "The certificate for TLS inside the connections of tunnel clients; by default those of tls.")
    static let innerTLSOfTunnel = KeyDeclaration(
        "inner-tls", .mapping(.tunnelInnerTLS),
        "TLS inside the connection to the tunnel server, past a proxy that decrypts the outer one.")
    /// Read as `certfile` of a tunnel is; but these are all the roots that count.
    static let innerAuthorities = ScalarKey<String?>.optional(
        "certfile", .path, "A PEM file with the certificates to trust, in place of the system's.",
        TextRule.path)

    // passwords of servers
    static let clientNames = KeyDeclaration(
        "client-name", .texts,
        "The name in the tunnel client's certificate, such as edge-*; one of several is enough.")

    // admin
    static let adminClientNames = KeyDeclaration(
        "client-name", .texts,
        "The name in the certificate of who asks, such as ops-*; one of several is enough. By default any.")

    // tunnels, and origin-tls
    static let pins = KeyDeclaration(
        "pin-sha256", .texts,
        "SHA-256 of public keys in base64, of which the server must have one: instead of an authority, or beside "
            + "certfile.")
    static let serverName = ScalarKey<String?>.optional(
        "server-name", .text,
        "The name that the server's certificate must be for, where it is not the host's.",
        TextRule.requestHost)
    static let clientCertificate = ScalarKey<String?>.optional(
        "client-certificate", .path,
        "A PEM file with the certificate to show to a server that asks, and those that vouch for it.",
        TextRule.path)
    static let clientKey = ScalarKey<String?>.optional(
        "client-key", .path, "A PEM file with its private key; by default client-certificate holds it too.",
        TextRule.path)
    static let clientKeyPassword = SecretKeys(
        "client-key-password", "The password of an encrypted private key.")
    static let originTLS = KeyDeclaration(
        "origin-tls", .list(.originTLS),
        "Which certificates of origins are good; the first entry whose host fits counts, in place of certfile and "
            + "insecure.")
    static let originHost = ScalarKey<String?>.optional(
        "host", .text, "The host of the origin, such as *.example.com; by default any.",
        TextRule.certificateHost)
}
