import AgentStatus
import HTTPMessage
import PasswordHashing
import Routing
import TransportSecurity
import TunnelConfiguration

// Who may call.
extension RequestExplainer {
    /// Holds a request to the rules for callers.
    mutating func hold(
        _ head: RequestHead, _ framing: BodyFraming, _ route: CallerRoute, to policy: AccessPolicy,
        _ terms: inout Terms
    ) throws(Ended) {
        let words = policy.words
        let places = settings.access.places(for: route).map(\.rawValue).joined(separator: ", ")
        note(
            .rules,
            "of the \(places): "
                + (words.isEmpty ? "nothing is asked of callers" : words.joined(separator: "; ")), "callers")
        do throws(AccessRefusal) {
            try policy.check(
                head,
                AccessPolicy.Facts(
                    address: terms.caller.text, certificateNames: terms.certificateName.map { [$0] }))
        } catch {
            steps[steps.count - 1].words += " — " + Self.words(error, terms)
            throw ended(error, head)
        }
        if let logins = policy.logins { terms.user = try logIn(head, terms.caller, logins) }
        do throws(AccessRefusal) {
            try policy.checkBody(framing)
        } catch {
            if case .length(let length) = framing {
                note(.body, "\(length) bytes, more than max-body", "callers")
            }
            throw ended(error, head)
        }
        if let most = policy.maximumBody, framing == .chunked {
            note(.body, "of unknown length: 413 as soon as more than \(most) bytes have come", "callers")
        }
        // Made for each request.
        let id =
            policy.needsRequestID
            ? RequestID.of(head.fields, isPeerTrusted: terms.caller.isPeerTrusted, random: (0, 0)) : nil
        terms.rewriting = policy.rewriting(
            FieldFacts(
                clientAddress: terms.caller.text, requestID: id, host: head.fields[.host],
                certificateName: terms.certificateName, scheme: isSecure ? "https" : "http", user: terms.user)
        )
    }

    private mutating func ended(_ error: AccessRefusal, _ head: RequestHead) -> Ended {
        ended(OwnAnswer(error, isShort: GRPC.type(of: head.fields) != nil), head)
    }

    private static func words(_ error: AccessRefusal, _ terms: Terms) -> String {
        switch error {
        case .addressNotAllowed: "\(terms.caller.text) may not call"
        case .certificateMissing: "no certificate is shown (--certificate)"
        case .certificateNotAllowed: "the certificate's name is none of these"
        case .methodNotAllowed(let methods): "of methods \(methods.text) alone are good"
        case .maintenance: "maintenance is on"
        case .bodyTooLarge, .loginRequired: "refused"
        }
    }

    /// - Returns: who has logged in by a password.
    private mutating func logIn(
        _ head: RequestHead, _ caller: CallerAddress, _ logins: LoginList
    ) throws(Ended) -> String? {
        switch logins.claim(in: head.fields) {
        case .none(let demand):
            note(
                .login,
                demand.wasWrong ? "the Authorization that came is of no use here" : "no Authorization came",
                "callers")
            throw ended(.loginRequired(demand), head)
        case .bearer:
            note(.login, "the bearer secret is right", "callers")
            return nil
        case .wrongBearer(let demand):
            try checkGuesses(caller, head)
            note(.login, "the bearer secret is wrong", "callers")
            throw ended(.loginRequired(demand), head)
        case .password(let claim):
            if facts?.remembers(claim) == true {
                note(.login, "the password of \(claim.user) is right, and was looked at lately", "callers")
                return claim.user
            }
            try checkGuesses(caller, head)
            guard PasswordHashing.verify(claim.password, claim.hash), claim.isKnown else {
                note(
                    .login,
                    claim.isKnown ? "the password of \(claim.user) is wrong" : "there is no such user",
                    "callers")
                throw ended(.loginRequired(claim.demand), head)
            }
            note(.login, "the password of \(claim.user) is right", "callers")
            return claim.user
        }
    }

    private mutating func checkGuesses(_ caller: CallerAddress, _ head: RequestHead) throws(Ended) {
        guard facts?.refusesLogins(from: caller.text) == true else { return }
        note(.login, "\(caller.text) was wrong too often: for some seconds nothing is looked at", "callers")
        throw ended(Refusal.tooManyFailedLogins, head)
    }
}
