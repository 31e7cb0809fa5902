import AgentStatus
import HTTPMessage
import NIOCore
import Routing
import TunnelConfiguration
import TunnelProtocol

// What becomes of a request that may come.
extension RequestExplainer {
    /// Of one that goes to no tunnel.
    mutating func answer(
        _ head: RequestHead, _ framing: BodyFraming, _ route: CallerRoute, _ terms: Terms
    ) throws(Ended) -> Outcome {
        switch route {
        case .healthCheck: throw ended(.healthy, head)
        case .redirect(let location): throw ended(.redirect(to: location), head)
        case .challenge: return Outcome(.answered, "the file, with 200, where it is there; else 404")
        case .stats: return Outcome(.answered, status: 200, "what the server tells of its tunnels")
        case .tunnel, .poll: return try knock(head, by: route == .poll ? .longPoll : .webSocket, terms)
        case .refuse(.tunnelNotFound) where facts?.refusesGuesses(from: terms.caller.text) == true:
            throw ended(leadingNowhere: .tooManyGuesses, head)
        case .refuse(let error): throw ended(leadingNowhere: Refusal(error), head)
        case .forward(let route): return try carry(head, framing, route, terms)
        }
    }

    /// Of a tunnel client: by its token, password and certificate alone.
    private mutating func knock(
        _ head: RequestHead, by knock: TunnelAdmission.Knock, _ terms: Terms
    ) throws(Ended) -> Outcome {
        guard knock == .webSocket || settings.offersLongPoll else { throw ended(Refusal.longPollOff, head) }
        let certificate = terms.certificateName.map {
            TunnelCredentials.Certificate(names: [$0], authority: settings.clientAuthority?.pem)
        }
        if let origin = head.fields[.origin] { hide(origin, as: RendezvousToken.hint(of: origin)) }
        let claim: TunnelCredentials
        do throws(AdmissionError) {
            claim = try TunnelAdmission.claim(of: head, by: knock, certificate: certificate)
            try settings.admission.check(claim, of: head, by: knock)
        } catch {
            throw ended(Refusal(error), head)
        }
        guard facts?.isBlocked(claim.token) != true else {
            noteBlock(claim.token)
            throw ended(Refusal.tokenBlocked, head)
        }
        note(.token, "\(claim.token.hint) may serve its callers here", "passwords")
        return Outcome(
            .answered, status: knock == .webSocket ? 101 : 200,
            "a tunnel client is let in, where limits allow it")
    }

    /// Of one that goes to a tunnel.
    mutating func carry(
        _ head: RequestHead, _ framing: BodyFraming, _ route: Route, _ terms: Terms
    ) throws(Ended) -> Outcome {
        let token = route.token
        guard !TokenRemoval.mayFind(token.secret, in: head.method) else {
            note(.request, "the method holds the token")
            throw ended(Refusal.malformed(HTTPMessageError(.malformed, "the method holds the token")), head)
        }
        if facts?.isBlocked(token) == true {
            noteBlock(token)
            throw ended(Refusal.tokenBlocked, head)
        }
        var forwarded = head
        forwarded.target = TokenRemoval.clean(
            route.target, token: token.secret, basePath: route.policy.basePath)
        if forwarded.takeHop() == 0 {
            note(.request, "Max-Forwards: 0")
            throw ended(.hopsUsedUp(head.method), head)
        }
        if let hit = hold(settings.limitedParties(route, head.fields, from: terms.caller.text)) {
            throw ended(Refusal(hit), head)
        }
        noteFields(head, forwarded, framing, route, terms)
        return try tunnelOutcome(token, from: terms.caller.text, head, "the origin's answer")
    }

    // MARK: Limits

    /// - Returns: the limit that ends it here.
    mutating func hold(_ parties: [LimitedParty]) -> LimitHit? {
        let (limits, found) = (settings.callerLimits, facts?.usage(of: parties))
        for (index, party) in parties.enumerated() {
            note(.limits, Self.words(party, found?.usage[index]), Self.key(of: party, in: limits))
            // Those behind it are not asked.
            if let hit = found?.hit, hit.limit.scope == party.scope, limits.isEnforced { return hit }
        }
        if let hit = found?.hit {
            note(.limits, "\(hit.limit) is met, and is told the log alone (enforce: false)", "limits.enforce")
        }
        return nil
    }

    /// Where the limits stand.
    private static func key(of party: LimitedParty, in limits: CallerLimits) -> String {
        switch party.identity {
        case .name(let name) where limits.names.keys.contains { $0.description == name }: "hosts"
        case .token(let token) where limits.tokens[token] != nil: "passwords"
        default: "limits.\(party.scope.rawValue)"
        }
    }

    private static func words(_ party: LimitedParty, _ usage: RequestUsage?) -> String {
        let whose =
            switch party.identity {
            case .address(let address): "address \(address)"
            case .name(let name): "name \(name)"
            case .token(let token): "token \(token.hint)"
            }
        var words: [String] = []
        if let most = party.limits.requests {
            words.append("\(most) requests at once" + used(usage?.requests, "under way"))
        }
        if let rate = party.limits.requestRate {
            words.append(
                "\(rate.perSecond) requests a second, \(rate.burst) in a burst"
                    + used(usage?.requestRate, "used"))
        }
        if let rate = party.limits.byteRate {
            words.append(
                "\(rate.perSecond) bytes a second, \(rate.burst) in a burst" + used(usage?.byteRate, "used"))
        }
        if let quota = party.limits.bytesPerMonth {
            words.append("\(quota) bytes a month" + used(usage.map { Int(clamping: $0.monthBytes) }, "used"))
        }
        return "\(whose): " + words.joined(separator: "; ")
    }

    private static func used(_ count: Int?, _ word: String) -> String {
        count.map { " (\($0) \(word))" } ?? ""
    }

    // MARK: Fields

    /// Those whose values are shown: they say nothing that who asks has not said, and nothing of the configuration's.
    private static let shown: Set<String> = [
        "host", "via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix", "x-real-ip",
    ]

    private mutating func noteFields(
        _ head: RequestHead, _ forwarded: RequestHead, _ framing: BodyFraming, _ route: Route, _ terms: Terms
    ) {
        let sender = CallerForwarding.Caller(
            peer: terms.peer, isPeerTrusted: terms.caller.isPeerTrusted, described: terms.caller.described,
            isSecure: isSecure,
            certificateName: settings.tellsOriginsCertificates ? terms.certificateName : nil)
        let forwarding = route.forwarding(
            from: sender, tellsAll: settings.tellsAllOfCallers, rewriting: terms.rewriting)
        let upgrade = framing == .none ? forwarded.upgradeOffer : UpgradeOffer()
        guard
            let inside = try? RequestHead(
                whole: forwarding.head(of: forwarded, upgrade: upgrade), limits: Self.tunnelLimits)
        else { return }
        self.forwarded = inside
        let before = Set(head.fields.pairs.map { $0.name.lowercased() })
        let after = Set(inside.fields.pairs.map { $0.name.lowercased() })
        let gained = inside.fields.pairs.filter {
            let name = $0.name.lowercased()
            return !Self.isInternal(name) && (!before.contains(name) || Self.shown.contains(name))
        }
        let lost = head.fields.pairs.map(\.name).filter { !after.contains($0.lowercased()) }
        let words = gained.map {
            Self.shown.contains($0.name.lowercased()) ? "\($0.name): \($0.value)" : $0.name
        }
        var text = "goes on as \(inside.method) \(inside.target) with " + words.joined(separator: " · ")
        if !lost.isEmpty { text += "; without " + lost.joined(separator: ", ") }
        note(.fields, text)
    }

    /// What servers tell tunnel clients, and origins never get.
    private static func isInternal(_ name: String) -> Bool { name.hasPrefix("x-tunnel-") }

    private static let tunnelLimits = CallerExchange.headLimits

    // MARK: The tunnel

    /// Whether a session takes it.
    ///
    /// - Parameter words: what the caller gets then.
    mutating func tunnelOutcome(
        _ token: RendezvousToken, from address: String, _ head: RequestHead?, _ words: String
    ) throws(Ended) -> Outcome {
        let queue = Self.text(.nanoseconds(settings.times.queue.nanoseconds))
        guard let facts else { return try outcomeByFile(token, head, words, queue) }
        switch facts.outlook(for: token, isListed: settings.lists(token)) {
        case .isTaken(let sessions):
            note(.tunnel, "is up: \(sessions == 1 ? "1 session" : "\(sessions) sessions")")
            return Outcome(.carried, words)
        case .unknownToken:
            note(.tunnel, "no tunnel client serves \(token.hint), or has in the last hour")
            let isGuess = !settings.lists(token)
            throw ended(
                isGuess && facts.refusesGuesses(from: address) ? Refusal.tooManyGuesses : .tunnelNotFound,
                head)
        case .tooManyWaiting(let waiting):
            note(.tunnel, "is down, and \(waiting) requests wait for it already", "max-requests-per-tunnel")
            throw ended(Refusal.tooManyWaiting, head)
        case .waits where facts.isStopping:
            note(.tunnel, "is down, and the server is stopping")
            throw ended(Refusal.stopping, head)
        case .waits(let waiting, let isUp, let expected):
            let others = waiting == 1 ? "1 other" : "\(waiting) others"
            let wait = "the request waits behind \(others), for \(queue) at most"
            guard !isUp else {
                note(.tunnel, "is up, and takes no more now: \(wait)", "queue-timeout")
                return Outcome(.carried, "\(words) once there is room; else 503")
            }
            guard let expected, expected < .nanoseconds(settings.times.queue.nanoseconds) else {
                note(.tunnel, "is down: \(wait)", "queue-timeout")
                throw ended(Refusal.tunnelTimeout, head)
            }
            note(
                .tunnel,
                "has not come yet since the server began: the request waits for \(Self.text(expected))")
            throw ended(Refusal.tunnelNotFound, head)
        }
    }

    private mutating func outcomeByFile(
        _ token: RendezvousToken, _ head: RequestHead?, _ words: String, _ queue: String
    ) throws(Ended) -> Outcome {
        guard settings.admission.mayBeServed(token) else {
            note(
                .tunnel,
                "no tunnel client may serve \(token.hint): only-listed-tokens is on, and passwords does not list it",
                "passwords")
            throw ended(Refusal.tunnelNotFound, head)
        }
        note(
            .tunnel, "where it is up; while it is down a request waits for \(queue) at most, then 504",
            "queue-timeout")
        return Outcome(.carried, words)
    }
}
