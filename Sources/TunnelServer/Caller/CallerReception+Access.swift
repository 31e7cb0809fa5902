import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import Routing
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol

/// A request that is for callers.
struct CallerRequest {
    let head: RequestHead
    let framing: BodyFraming
    let route: CallerRoute
    let caller: CallerAddress
    let stream: any CallerStream
}

/// What the rules for callers say of a request that they let in.
struct CallerTerms {
    /// What becomes of its fields, and of the answer's; nil for nothing.
    var rewriting: FieldRewriting?
    /// Most bytes of its body, where its head does not say how many there are.
    var maximumBody: Int?
    /// By which people find it again, where it has such a name.
    var requestID: String?
}

// Who may call.
extension CallerReception {
    /// Holds a request to the rules for callers.
    func admit(_ request: CallerRequest, by policy: AccessPolicy) -> RequestOutcome {
        do throws(AccessRefusal) {
            try policy.check(
                request.head,
                AccessPolicy.Facts(
                    address: request.caller.text, certificateNames: certificate?.names))
            guard let logins = policy.logins else { return try letIn(request, by: policy) }
            return try logIn(request, by: policy, logins.claim(in: request.head.fields))
        } catch {
            return refuse(request, error)
        }
    }

    private func logIn(
        _ request: CallerRequest, by policy: AccessPolicy, _ claim: LoginList.Claim
    ) throws(AccessRefusal) -> RequestOutcome {
        switch claim {
        case .none(let demand): throw .loginRequired(demand)
        case .bearer: return try letIn(request, by: policy)
        case .wrongBearer(let demand):
            guard !core.holdsOffLogins(from: address) else {
                return answer(request, Refusal.tooManyFailedLogins)
            }
            core.callerFailed(from: address, guess: request.head.fields[.authorization])
            throw .loginRequired(demand)
        case .password(let claim):
            let digest = core.logins.digest(of: claim)
            guard !core.logins.remembers(digest) else {
                return try letIn(request, by: policy, as: claim.user)
            }
            guard !core.holdsOffLogins(from: address) else {
                return answer(request, Refusal.tooManyFailedLogins)
            }
            return .exchange(look(at: claim, digest, request, policy))
        }
    }

    /// The exchange of a request whose password has to be looked at. The connection may have others meanwhile.
    private func look(
        at claim: PasswordClaim, _ digest: LoginDigest, _ request: CallerRequest, _ policy: AccessPolicy
    ) -> LoginExchange {
        let (settings, address, arrival) = (settings, address, request.stream.eventLoop.now)
        let asItWas = { [self] in
            self.settings = settings
            self.address = address
            self.arrival = arrival
        }
        return LoginExchange(
            core.logins, claim, digest, from: AddressGroup(address), for: request.stream
        ) { [self] outcome in
            asItWas()
            defer { self.arrival = nil }
            var record = record(of: request)
            record.finish(outcome, now: request.stream.eventLoop.now)
        } next: { [self] verdict in
            asItWas()
            defer { self.arrival = nil }
            let outcome: RequestOutcome
            switch verdict {
            case .isBusy: outcome = answer(request, Refusal.loginsBusy)
            case .isWrong(let isFirst):
                if isFirst { core.callerFailed(from: address, guess: claim.password.secret) }
                outcome = refuse(request, .loginRequired(claim.demand))
            case .isRight:
                do throws(AccessRefusal) {
                    outcome = try letIn(request, by: policy, as: claim.user)
                } catch {
                    outcome = refuse(request, error)
                }
            }
            return outcome.spoken(to: request.head.fields)
        }
    }

    /// - Parameter user: who has logged in, if anybody.
    private func letIn(
        _ request: CallerRequest, by policy: AccessPolicy, as user: String? = nil
    ) throws(AccessRefusal) -> RequestOutcome {
        try policy.checkBody(request.framing)
        let fields = request.head.fields
        let id =
            policy.needsRequestID
            ? RequestID.of(
                fields, isPeerTrusted: request.caller.isPeerTrusted,
                random: (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max)))
            : nil
        let rewriting = policy.rewriting(
            FieldFacts(
                clientAddress: request.caller.text, requestID: id, host: fields[.host],
                certificateName: certificate?.name, scheme: isSecure ? "https" : "http", user: user))
        return serve(
            request.head, request.framing, request.route, request.caller, for: request.stream,
            CallerTerms(rewriting: rewriting, maximumBody: policy.maximumBody, requestID: id))
    }

    private func refuse(_ request: CallerRequest, _ error: AccessRefusal) -> RequestOutcome {
        // A page is nothing that gRPC could show.
        let isShort = GRPC.type(of: request.head.fields) != nil
        observer.refused(error.code)
        return .answer(answer(OwnAnswer(error, isShort: isShort), record(of: request)), closes: false)
    }

    private func answer(_ request: CallerRequest, _ refusal: Refusal) -> RequestOutcome {
        .answer(answer(refusal, record(of: request)), closes: false)
    }

    /// Of a request that is answered here.
    func record(of request: CallerRequest) -> RequestRecord {
        switch request.route {
        case .forward(let route):
            let target = TokenRemoval.clean(
                route.target, token: route.token.secret, basePath: route.policy.basePath)
            let isMethodPlain = !TokenRemoval.mayFind(route.token.secret, in: request.head.method)
            return makeRecord(
                isMethodPlain ? request.head.method : "-", path: TokenRemoval.masked(target),
                tokenHint: route.token.hint)
        case .stats: return makeRecord(request.head.method, path: "/_stats")
        default: return makeRecord(request.head.method, path: "")
        }
    }
}

extension RequestOutcome {
    /// The same, an answer of our own as who asked understands it.
    func spoken(to fields: HeaderFields) -> RequestOutcome {
        guard case .answer(let answer, let closes) = self else { return self }
        return .answer(answer.spoken(to: fields), closes: closes)
    }
}
