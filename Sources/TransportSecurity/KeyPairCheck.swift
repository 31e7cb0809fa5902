import NIOSSL
package import TunnelConfiguration

/// Whether a private key is a certificate's, as the TLS library says.
package enum KeyPairCheck {
    /// - Returns: nil where it is.
    package static func fault(of pair: KeyPair) -> KeyPairFault? {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(pair.chain.pem)
        } catch {
            return .badCertificate("\(error)")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try LoadedKeyPair.key(pair)
        } catch {
            return pair.password == nil ? .isNoKey("\(error)") : .wrongPassword
        }
        do {
            _ = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key)))
            return nil
        } catch {
            let text = "\(error)"
            return text.contains("failedToLoadPrivateKey") || text.contains("MISMATCH")
                ? .mismatch : .badCertificate(text)
        }
    }
}
