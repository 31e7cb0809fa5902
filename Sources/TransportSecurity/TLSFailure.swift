import NIOSSL
package import X509

/// Why there is no TLS with a peer, in words that people can act on.
package struct TLSFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// How much of the TLS library's own words is repeated, in characters.
    private static let longestDetail = 200

    /// A sentence without a trailing period.
    package let description: String
    /// Whether the handshake just did not end.
    package let isTimeout: Bool

    init(_ description: String, isTimeout: Bool = false) {
        self.description = description
        self.isTimeout = isTimeout
    }

    /// - Parameters:
    ///   - name: of the server, as it was asked for.
    ///   - certificate: the server's, where it came so far.
    ///   - now: seconds since 1970.
    init(_ error: any Error, server name: String, certificate: X509Certificate?, now: Int) {
        let text = "\(error)"
        if let certificate, Self.isOfCertificate(error, text) {
            self.init(Self.words(certificate, server: name, now: now))
        } else {
            self.init(Self.words(for: error) ?? "no TLS: \(Self.reason(in: text))")
        }
    }

    private static func isOfCertificate(_ error: any Error, _ text: String) -> Bool {
        text.contains("CERTIFICATE_VERIFY_FAILED")
            || (error as? NIOSSLExtraError) == .failedToValidateHostname
    }

    /// The server's certificate is not for the name.
    init(otherNameThan name: String, _ certificate: X509Certificate) {
        let names = certificate.names.prefix(4).joined(separator: ", ")
        self.init(
            "the server's certificate is for \(names.isEmpty ? "no name" : names), not for \(name): correct the name, or "
                + "write the certificate's in server-name")
    }

    /// Why a server's certificate was not taken.
    private static func words(_ certificate: X509Certificate, server name: String, now: Int) -> String {
        let front = "the server's certificate "
        switch certificate.validity(at: now) {
        case .expired:
            return front + "expired on \(CalendarDate.text(certificate.notAfter)): renew it there"
        case .notYet:
            return front
                + "is good from \(CalendarDate.text(certificate.notBefore)) on only: is the clock of this machine right?"
        case .valid: break
        }
        guard certificate.isFor(host: name) else {
            return TLSFailure(otherNameThan: name, certificate).description
        }
        guard certificate.issuer != certificate.subject else {
            return front
                + "is signed by itself (\(certificate.subject)): name it with certfile, or its key's pin "
                + "\(certificate.pin) in pin-sha256"
        }
        return front
            + "is from an unknown authority (\(certificate.issuer)): name that one's certificate with certfile"
    }

    /// Words for what the TLS library or the peer says, whichever end of the connection is ours; nil for what has none.
    package static func words(for error: any Error) -> String? {
        switch error {
        case let error as TLSFailure: return error.description
        case NIOSSLError.uncleanShutdown: return "the TLS connection was cut"
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: break
        default: return nil
        }
        let text = "\(error)"
        for (sign, words) in signs where text.contains(sign) { return words }
        return "no TLS: \(reason(in: text))"
    }

    /// The reason alone of what the TLS library says, which may name places in its source.
    static func reason(in text: String) -> String {
        guard let mark = text.ranges(of: "OPENSSL_internal:").last else {
            return String(text.prefix(longestDetail))
        }
        return String(text[mark.upperBound...].prefix { $0 == "_" || $0.isLetter || $0.isNumber })
    }

    /// What the TLS library's words mean; those with ALERT were said by the peer (RFC 8446 §6.2).
    private static let signs = [
        ("WRONG_VERSION_NUMBER", "what answers does not speak TLS; write ws:// or http:// before it"),
        ("HTTP_REQUEST", "plain HTTP came to a port that speaks TLS"),
        ("ALERT_CERTIFICATE_REQUIRED", "the server asks for a certificate: name one in client-certificate"),
        ("ALERT_CERTIFICATE_EXPIRED", "the peer says that our certificate has expired"),
        ("ALERT_UNKNOWN_CA", "the peer does not know the authority of our certificate"),
        ("ALERT_BAD_CERTIFICATE", "the peer does not take our certificate"),
        ("ALERT_UNSUPPORTED_CERTIFICATE", "the peer does not take our certificate: it is not made for that"),
        ("ALERT_CERTIFICATE_UNKNOWN", "the peer does not take our certificate"),
        ("ALERT_CERTIFICATE_REVOKED", "the peer says that our certificate was revoked"),
        ("ALERT_DECRYPT_ERROR", "the peer could not verify our signature"),
        ("ALERT_PROTOCOL_VERSION", "the peer speaks no version of TLS that is good enough"),
        ("ALERT_HANDSHAKE_FAILURE", "the peer speaks no kind of TLS that we do"),
        ("ALERT_UNRECOGNIZED_NAME", "the peer knows no certificate for the name"),
        ("ALERT_NO_APPLICATION_PROTOCOL", "the peer speaks no HTTP that we ask for (ALPN)"),
        ("UNSUPPORTED_PROTOCOL", "the peer speaks no version of TLS that is good enough"),
        ("NO_SHARED_CIPHER", "the peer speaks no kind of TLS that we do"),
        ("EOF during handshake", "the connection ended in the TLS handshake"),
        ("CERTIFICATE_VERIFY_FAILED", "the peer's certificate is not trusted"),
    ]
}

extension TLSFailure {
    /// Why the handshake with somebody who connected to us failed.
    ///
    /// - Parameters:
    ///   - certificate: the peer's, where it came so far.
    ///   - now: seconds since 1970.
    /// - Returns: nil where it only went away, as those do who look whether a port is open.
    package static func ofPeer(_ error: any Error, certificate: X509Certificate?, now: Int) -> TLSFailure? {
        let text = "\(error)"
        guard error is NIOSSLError || error is BoringSSLError, !text.contains("EOF during handshake"),
            !text.contains("uncleanShutdown")
        else { return nil }
        guard !text.contains("WRONG_VERSION_NUMBER") else {
            return TLSFailure("what came is no TLS, or breaks off in it")
        }
        guard let certificate, text.contains("CERTIFICATE_VERIFY_FAILED") else {
            return TLSFailure(words(for: error) ?? "no TLS: \(reason(in: text))")
        }
        let front = "the certificate of \(certificate.subject) "
        switch certificate.validity(at: now) {
        case .expired:
            return TLSFailure(front + "expired on \(CalendarDate.text(certificate.notAfter))")
        case .notYet:
            return TLSFailure(
                front + "is good from \(CalendarDate.text(certificate.notBefore)) on only")
        case .valid:
            return TLSFailure(
                certificate.issuer == certificate.subject
                    ? front + "is signed by itself, not by the authority in client-ca"
                    : front
                        + "is from an authority that is not in client-ca (\(certificate.issuer)) or has expired, or it is not "
                        + "made for clients")
        }
    }
}
