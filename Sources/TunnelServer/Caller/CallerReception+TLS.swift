import HTTPMessage
import HTTPServing
import TransportSecurity

// The TLS that the connection stands on.
extension CallerReception: SecureReception {
    func identified(_ certificate: PeerCertificate?) { shown = certificate }

    func tlsFailed(_ words: String) {
        core.incidents.connectionRefused(Refusal.tlsFailed(words).code)
        core.tell("TLS handshake failed", .tlsFailed(words), from: peer)
    }

    func refusePlainSpeech() -> OwnAnswer {
        core.incidents.connectionRefused(Refusal.plainSpoken.code)
        core.tell("Connection is not TLS", .plainSpoken, from: peer)
        return Refusal.plainSpoken.answer
    }
}
