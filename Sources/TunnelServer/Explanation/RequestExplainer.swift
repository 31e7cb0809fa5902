import AgentStatus
import HTTPMessage
import Routing
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol

/// Leads a request that nobody has sent through all that a server has for one, in the order in which `CallerReception` does,
/// by the same rules, and notes what it meets. Changes nothing.
struct RequestExplainer {
    typealias Step = ExplanationSnapshot.Step
    typealias Outcome = ExplanationSnapshot.Outcome

    /// The request goes no further.
    struct Ended: Error {
        let outcome: Outcome
    }

    let settings: ServerSettings
    /// Of the server.
    let name: String
    let reason: ServerChoice.Reason
    /// Nil where there is nothing but a file.
    let facts: (any ServerFacts)?
    /// Names that tunnels of the same file ask for, where there is nothing but that.
    let claims: HostClaims?
    var steps: [Step] = []
    /// To a tunnel, where it goes to one.
    private(set) var route: Route?
    /// The request as it goes into the tunnel.
    var forwarded: RequestHead?
    /// Texts that must not be shown, and what is shown in their place.
    private(set) var hints: [String: String] = [:]

    init(
        _ settings: ServerSettings, _ name: String, _ reason: ServerChoice.Reason,
        facts: (any ServerFacts)? = nil, claims: HostClaims? = nil
    ) {
        self.settings = settings
        self.name = name
        self.reason = reason
        self.facts = facts
        self.claims = claims
    }

    /// Whether TLS is spoken with the caller.
    var isSecure: Bool { settings.tls != nil }

    /// Whether callers and tunnel clients may show certificates.
    var asksForCertificates: Bool { settings.tls?.configuration.asksForCertificates == true }

    mutating func explain(_ query: ExplanationQuery) -> Outcome {
        hide(query)
        do throws(Ended) {
            try connect(query)
            let (head, framing) = try read(query)
            let caller = try call(head, from: query.from)
            return try explain(
                head, framing,
                Terms(
                    peer: query.from, caller: caller,
                    certificateName: asksForCertificates ? query.certificateName : nil))
        } catch {
            return error.outcome
        }
    }

    private mutating func explain(
        _ head: RequestHead, _ framing: BodyFraming, _ known: Terms
    ) throws(Ended) -> Outcome {
        var terms = known
        let (facts, claims) = (facts, claims)
        let route = settings.routes.route(head) { facts?.owner(of: $0) ?? claims?.owner(of: $0) }
        note(route, head)
        if settings.callerCertificates == .required, route.isForCallersAlone {
            let isLacking = settings.lacksCertificate(route, hasShown: terms.certificateName != nil)
            note(
                .certificate,
                "callers show one that client-ca vouches for: "
                    + (isLacking ? "none is shown (--certificate NAME)" : "one is shown"), "tls")
            if isLacking { throw ended(Refusal.certificateRequired, head) }
        }
        if case .forward = route, facts?.isPaused == true {
            notePause()
            throw ended(Refusal.paused, head)
        }
        if case .forward = route, facts?.isOverloaded == true {
            noteOverload()
            throw ended(Refusal.overloaded, head)
        }
        if let policy = settings.policy(for: route) {
            try hold(head, framing, route, to: policy, &terms)
        } else if route.isForCallersAlone {
            note(.rules, "none: anybody may call")
        }
        switch route {
        case .forward(let route): return try carry(head, framing, route, terms)
        default: return try answer(head, framing, route, terms)
        }
    }

    // MARK: Notes

    mutating func notePause() {
        note(.agent, "the server is paused: what is new is refused (wstunnel resume --server)")
    }

    mutating func noteBlock(_ token: RendezvousToken) {
        note(.token, "\(token.hint) is blocked by who runs the server")
    }

    mutating func noteOverload() {
        note(.limits, "load-shedding: what is new is refused now (wstunnel status tells why)")
    }

    mutating func note(_ subject: ExplanationSnapshot.Subject, _ words: String, _ key: String? = nil) {
        let path = "servers[\(name)]" + (key.map { $0.isEmpty ? "" : ".\($0)" } ?? "")
        steps.append(Step(subject, words, key: key == nil ? nil : path))
    }

    /// What becomes of a request that ends with the step that was noted last.
    mutating func ended(_ outcome: Outcome) -> Ended {
        if !steps.isEmpty { steps[steps.count - 1].isEnd = outcome.verdict != .answered }
        return Ended(outcome: outcome)
    }

    /// The same of one that leads nowhere: it ends where that was found, whatever rules let it in.
    mutating func ended(leadingNowhere refusal: Refusal, _ head: RequestHead) -> Ended {
        let index = steps.lastIndex { [.route, .name, .token].contains($0.subject) }
        let outcome = Outcome(refusal.answer, to: head)
        if let index { steps[index].isEnd = outcome.verdict != .answered }
        return Ended(outcome: outcome)
    }

    mutating func ended(_ refusal: Refusal, _ head: RequestHead? = nil) -> Ended {
        ended(refusal.answer, head)
    }

    /// - Parameter head: of the request, which the answer may have to be put otherwise for.
    mutating func ended(_ answer: OwnAnswer, _ head: RequestHead? = nil) -> Ended {
        ended(Outcome(answer, to: head))
    }

    mutating func closed(_ words: String) -> Ended { ended(Outcome(.closed, words)) }

    // MARK: What is not shown

    mutating func hide(_ secret: String, as hint: String) {
        // So many characters are shown of any.
        if secret.utf8.count > 8 { hints[secret] = hint }
    }

    /// What may be a token, wherever it stands.
    private mutating func hide(_ query: ExplanationQuery) {
        for field in query.fields {
            switch field.name.lowercased() {
            case "x-token": hide(field.value, as: RendezvousToken.hint(of: field.value))
            case "authorization", "proxy-authorization", "cookie": hide(field.value, as: Secret.stars)
            default: break
            }
        }
        let parts = query.target.split(separator: "/_token/", omittingEmptySubsequences: false)
        for part in parts.dropFirst() {
            let written = String(part.prefix { !"/?#&".contains($0) })
            hide(written, as: RendezvousToken.hint(of: written))
        }
    }

    private mutating func note(_ route: CallerRoute, _ head: RequestHead) {
        switch route {
        case .healthCheck: note(.route, "/_health_check: this server answers itself")
        case .stats: note(.route, "/_stats: this server answers itself")
        case .tunnel: note(.route, "/_tunnel: where tunnel clients connect")
        case .poll: note(.route, "/_tunnel/poll: where tunnel clients come by long polling")
        case .redirect(let location):
            note(.route, "redirect-http: this listener sends callers to \(location)")
        case .challenge: note(.route, "a file that a certificate authority asks for (acme-challenges)")
        case .refuse(let error): note(refused: error, head)
        case .forward(let route):
            self.route = route
            hide(route.token.secret, as: route.token.hint)
            note(token: route, head)
        }
    }

    private mutating func note(token route: Route, _ head: RequestHead) {
        let token = route.token
        let host = head.fields[.host].map(CallerRoute.name(ofHost:)) ?? ""
        switch (route.policy.namedBy, route.policy.name) {
        case (.path, _):
            note(.token, "\(token.hint), by /_token/ in the path; the origin gets \(route.target)")
        case (.field, _): note(.token, "\(token.hint), by X-Token; no name counts")
        case (.host, let index?):
            let name = settings.routes.hosts.names[index]
            let entry = host == name.description ? "" : ", as \(name) says,"
            note(.name, "\(host)\(entry) leads to token \(token.hint)", "hosts")
        case (.host, nil):
            let whose =
                facts == nil ? "for whose tunnel the file asks for it" : "whose tunnel has asked for it"
            note(.name, "\(host) leads to token \(token.hint), \(whose)", "host-claims")
        }
        let isListed = settings.lists(token)
        note(.token, "\(token.hint) is \(isListed ? "" : "not ")named in the configuration of the server")
    }

    private mutating func note(refused error: RouteError, _ head: RequestHead) {
        switch error {
        case .missingToken:
            let host = head.fields[.host].map(CallerRoute.name(ofHost:)) ?? ""
            let claims =
                settings.claims == nil
                ? ""
                : facts == nil
                    ? ", and no tunnel of the file asks for it; others may have (--running)"
                    : ", and no tunnel has asked for it"
            note(
                .name,
                "there is neither X-Token nor /_token/, and no entry of hosts leads from \(host)\(claims)",
                "hosts")
        case .outsideBasePath, .notTheTunnelPath:
            note(.route, "the path is not below base-path \"\(settings.routes.basePath)\"", "base-path")
        case .tunnelNotFound:
            note(.token, "what X-Token or the path names can be no token: it has 16 to 1024 characters")
        case .ambiguousPath:
            note(.name, "origins read this path differently, and it leads to another name with each", "hosts")
        default: note(.route, "leads nowhere")
        }
    }
}

/// What was found out about who calls.
struct Terms {
    /// The address that connects.
    let peer: String
    let caller: CallerAddress
    let certificateName: String?
    /// Who has logged in.
    var user: String?
    var rewriting: FieldRewriting?
}

extension ExplanationSnapshot.Outcome {
    /// What who asks would get of it.
    init(_ answer: OwnAnswer, to head: RequestHead? = nil) {
        let spoken = head.map { answer.spoken(to: $0.fields) } ?? answer
        let isPage = answer.fields[.contentType]?.hasPrefix("text/plain") == false
        let line = String(answer.text.prefix { $0 != "\n" })
        let fields = answer.fields.pairs.filter {
            ["location", "allow", "www-authenticate"].contains($0.name.lowercased())
        }
        self.init(
            answer.status < 400 ? .answered : .refused, status: spoken.status,
            isPage ? "a page of the configuration's" : line,
            limit: answer.fields.first(named: "X-Limit"),
            retryAfter: answer.fields[.retryAfter].flatMap { Int($0) },
            fields: fields.map { ExplanationQuery.Field($0.name, $0.value) })
    }
}
