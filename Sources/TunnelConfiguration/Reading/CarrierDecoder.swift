/// What carries tunnels, and the TLS inside it.
extension MappingReader {
    /// Decodes `inner-tls` of a tunnel.
    ///
    /// - Returns: nil when it is absent or no mapping; problems are recorded.
    func innerTrust() -> PeerTrust? {
        guard let field = field(TLSKeys.innerTLSOfTunnel),
            let inner = MappingReader(field, .tunnelInnerTLS, isOffline: isOffline, pass: pass)
        else { return nil }
        let roots = [TLSKeys.pins, TLSKeys.innerAuthorities.declaration]
        if roots.allSatisfy({ inner.field($0) == nil && !inner.misses($0) }) {
            pass.error(
                at: inner.place, inner.path,
                "it needs \"pin-sha256\" or \"certfile\": the authorities of this machine may be those of the proxy that "
                    + "decrypts",
                advice: "add pin-sha256; \"wstunnel pin cert.pem\" prints that of the server's certificate")
        }
        return inner.peerTrust()
    }

    /// Decodes `inner-tls` of a server.
    ///
    /// - Returns: nil when it is absent, not usable, or nothing is read (offline); problems are recorded.
    func innerCertificate() -> KeyPair? {
        guard let field = field(TLSKeys.innerTLSOfServer),
            let inner = MappingReader(field, .serverInnerTLS, isOffline: isOffline, pass: pass)
        else { return nil }
        // A key alone is told of where it is read.
        if inner.field(TLSKeys.keyFile.declaration) == nil {
            inner.require(TLSKeys.certFile.declaration, advice: "name the file of the certificate")
        }
        return inner.keyPair(TLSKeys.certFile, TLSKeys.keyFile, TLSKeys.keyPassword)?.pair
    }

    /// What a tunnel says of its carrier has to fit together.
    func checkCarrier(
        _ transport: TunnelClientConfiguration.Transport, _ choice: TunnelClientConfiguration.ProtocolChoice
    ) {
        if choice == .v1 {
            if transport == .longpoll {
                refuseV1(
                    beside: Keys.transport.declaration, "long polling speaks protocol v2 only",
                    advice: "write \"protocol: auto\" or \"transport: auto\"")
            }
            if field(TLSKeys.innerTLSOfTunnel) != nil {
                refuseV1(
                    beside: TLSKeys.innerTLSOfTunnel, "\"inner-tls\" takes protocol v2",
                    advice: "write \"protocol: auto\", or remove \"inner-tls\"")
            }
        }
        guard transport != .auto || choice == .v1, let field = field(Keys.websocketRetry.declaration),
            field.path.hasPrefix(path)
        else { return }
        let reason =
            transport == .auto ? "protocol v1 takes WebSockets alone" : "that is for \"transport: auto\""
        pass.warning(
            at: field.place, field.path, "\"websocket-retry\" has no effect: \(reason)", advice: "remove it")
    }

    /// Told where the entry itself says one of the two, not where `defaults` say the other.
    private func refuseV1(beside key: KeyDeclaration, _ message: String, advice: String) {
        let fields = [key, Keys.protocol.declaration].compactMap { field($0) }
        guard let field = fields.first(where: { $0.path.hasPrefix(path) }) ?? fields.first else { return }
        pass.error(at: field.place, field.path, message, advice: advice)
    }
}
