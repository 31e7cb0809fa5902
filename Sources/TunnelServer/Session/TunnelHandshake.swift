import AgentStatus
import HTTPMessage
import HTTPServing
import Logging
import NIOCore
import Observability
import Routing
import Synchronization
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// The handshake of a tunnel client: checked against what the server knows, and made a session on its seat.
struct TunnelHandshake {
    /// A client that is let in.
    struct AdmittedClient {
        var credentials: TunnelCredentials
        var client: ClientIdentity
        /// The 101 answer.
        var answer: ResponseHead
        /// What to speak with it.
        var version: ProtocolVersion
        /// What it says it is, without bounds.
        var software: String
    }

    let core: ServerCore
    let settings: ServerSettings
    /// The client's address.
    let address: String
    /// The same with its port, where that is known.
    let endpoint: String
    /// What the client has shown, if anything.
    let certificate: PeerCertificate?
    /// Who vouches for it.
    let authority: CertificateFile?
    /// Whether TLS is spoken.
    let isSecure: Bool
    /// Whether it goes by requests, with TLS inside.
    let isLongPoll: Bool

    /// What looks at the handshake that this head is, and makes the connection a session.
    func upgrade(_ head: RequestHead, _ framing: BodyFraming) -> UpgradeLook {
        { channel, tell in
            receive(head, framing, on: channel) { result in
                switch result {
                case .success(let admitted):
                    tell(.leavesHTTP { seat(admitted, in: $0, from: $1, leftover: $2) })
                case .failure(let refusal):
                    report(refusal, head, on: channel.eventLoop)
                    tell(.refused(refusal.answer))
                }
            }
        }
    }

    /// Looks at a handshake.
    ///
    /// - Parameters:
    ///   - channel: that it came on.
    ///   - completion: told who may come in, or the answer for one that may not.
    private func receive(
        _ head: RequestHead, _ framing: BodyFraming, on channel: any Channel,
        _ completion: @escaping (Result<AdmittedClient, Refusal>) -> Void
    ) {
        do throws(Refusal) {
            let (credentials, client) = try admit(head, framing)
            let version = WebSocketHandshake.version(offeredBy: head)
            WebSocketHandshake.accept(
                head, subprotocol: version == .v2 ? WebSocketHandshake.subprotocol : nil, on: channel
            )
            .assumeIsolated().whenSuccess { answer in
                guard let answer else { return completion(.failure(.notWebSocket)) }
                completion(
                    .success(
                        AdmittedClient(
                            credentials: credentials, client: client, answer: answer, version: version,
                            software: head.fields[.xClientVersion] ?? "")))
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// - Throws: the answer for a client that may not come in.
    func admit(
        _ head: RequestHead, _ framing: BodyFraming, by knock: TunnelAdmission.Knock = .webSocket
    ) throws(Refusal) -> (credentials: TunnelCredentials, client: ClientIdentity) {
        let group = AddressGroup(address)
        let text = head.fields.first(named: "X-Tunnel-Client")
        let client = ClientIdentity(
            text: text, address: group, otherwise: "connection-\(core.nextRequestID())")
        let credentials = try credentials(
            of: head, by: knock, from: group, client: text == nil ? nil : client.process.text)
        let token = credentials.token
        guard !core.blocked.contains(token) else { throw .tokenBlocked }
        switch core.registry.admits(token, client) {
        case .admitted: break
        case .tooManySessions: throw .tooManySessionsOfClient
        case .tooManyClients:
            // A client that was cut off and started anew is another one: those that are dead must go soon.
            for session in core.registry.sessionsToProbe(token) {
                session.perform { $0.probe(within: ServerSession.probePatience) }
            }
            throw .tooManyClients
        }
        if let refusal = core.connections.refusal(of: token, from: group, core.sessionCountLimits(settings)) {
            throw refusal
        }
        guard !core.isStopping else { throw .stopping }
        guard knock == .longPoll || framing == .none else { throw .notWebSocket }
        return (credentials, client)
    }

    /// - Parameter client: the text that the client made up, if it did.
    private func credentials(
        of head: RequestHead, by knock: TunnelAdmission.Knock, from group: AddressGroup, client: String?
    ) throws(Refusal) -> TunnelCredentials {
        let claim: TunnelCredentials
        do throws(AdmissionError) {
            claim = try TunnelAdmission.claim(
                of: head, by: knock,
                certificate: certificate.map { .init(names: $0.names, authority: authority?.pem) })
            // Where the token has no password, there is none to be guessed.
            guard settings.admission.lists(claim.token) else {
                try settings.admission.check(claim, of: head, by: knock)
                return claim
            }
        } catch {
            // It knows who it is, and has forgotten to say so.
            guard error != .certificateMissing, error != .certificateNotAllowed else { throw Refusal(error) }
            core.failed(head.fields[.origin] ?? "", from: address)
            let isTooMuch = core.guesses.withLock { $0.tokenFailed(from: group, now: .now) }
            throw isTooMuch ? .tooManyGuesses : Refusal(error)
        }
        let knocker = AuthenticationThrottle.Knocker(address: group, token: claim.token)
        let (guesser, isHeldOff) = core.guesses.withLock { guesses in
            let guesser = guesses.guesser(knocker, client: client)
            return (guesser, guesses.refusesPassword(guesser, now: .now))
        }
        do throws(AdmissionError) {
            try settings.admission.check(claim, of: head, by: knock, isHeldOff: isHeldOff)
        } catch {
            // Of one that was not looked at nobody knows whether it was wrong. It is counted: else who tries many at once
            // would be held off for ever, and no more.
            if error == .unauthorized || error == .tooManyFailures {
                core.failed("\(claim.token.secret):\(claim.password?.secret ?? "")", from: address)
            }
            if error == .unauthorized {
                core.guesses.withLock { $0.passwordFailed(guesser, claim.password, now: .now) }
            }
            throw Refusal(error)
        }
        core.guesses.withLock { $0.passwordWasRight(knocker, client: client) }
        return claim
    }

    /// Tells the log that a client was sent away; the access log not of what strangers can have as often as they like.
    ///
    /// - Parameter eventLoop: the current one.
    func report(_ refusal: Refusal, _ head: RequestHead, on eventLoop: any EventLoop) {
        core.incidents.handshakeFailed(refusal.code)
        let hint = head.fields[.origin].map { RendezvousToken.hint(of: $0) }
        guard !refusal.isToldRarely else {
            return core.tell(
                "Tunnel refused", refusal, from: address, tokenHint: hint, as: .handshakeRefused)
        }
        core.note(
            fault: refusal.code, "\(refusal.text) (tunnel client at \(address), token \(hint ?? "none"))")
        let fields: LogFields = [
            .peerAddress: "\(address)", .tokenHint: "\(hint ?? "none")", .errorCode: .code(refusal.code),
            .errorMessage: "\(refusal.text)",
        ]
        core.logger.warning("Tunnel refused", metadata: fields)
        core.publish(refusal, Logger.Metadata(fields))
        let now = eventLoop.now
        var record = core.makeRecord(
            head.method, path: "/_tunnel", tokenHint: hint, caller: address,
            observer: core.observer(on: core.index(of: eventLoop)), certificateName: certificate?.name,
            now: now)
        record.answeredHere(refusal.answer, now: now)
    }

    /// Makes the connection a session, on the loop where its token has the fewest.
    ///
    /// - Parameters:
    ///   - handler: the connection's handler, which gives way.
    ///   - leftover: bytes that came behind the handshake.
    private func seat(
        _ admitted: AdmittedClient, in context: ChannelHandlerContext, from handler: CallerHandler,
        leftover: ByteBuffer
    ) {
        var preface = ByteBuffer()
        preface.writeResponseHead(admitted.answer)
        let (core, address, endpoint, certificateName) = (core, address, endpoint, certificate?.name)
        let (credentials, client) = (admitted.credentials, admitted.client)
        let isLongPoll = isLongPoll
        let oldSoftware = admitted.version == .v1 ? admitted.software : nil
        let current = core.index(of: context.eventLoop)
        let counts = core.registry.sessionsPerLoop(admitted.credentials.token, loops: core.loops.count)
        let seat = SessionSeating.choose(counts: counts, current: current)
        // A connection with TLS stays where it is.
        let dialsAgain =
            isSecure && oldSoftware == nil
            && core.redials.withLock { $0.asks(client, isWellSeated: seat == current) }
        let makeSession: @Sendable (any EventLoop) -> any Session = { eventLoop in
            ServerSession(
                core: core, credentials: credentials, client: client, address: address,
                endpoint: endpoint, certificateName: certificateName, isLongPoll: isLongPoll,
                dialsAgain: dialsAgain,
                eventLoop: eventLoop
            )
            .makeSession(oldSoftware: oldSoftware)
        }
        // On its own loop too: the old channel keeps what it read the handshake into, two kilobytes for as long as it is there.
        if !isSecure,
            SessionSeating.move(
                context, to: core.loops[seat], preface: preface, leftover: leftover, makeSession: makeSession)
        {
            return
        }
        giveWay(handler, preface, leftover: leftover, in: context) {
            WebSocketCarrier(makeSession(context.eventLoop))
        }
    }

    /// Sends the answer to the handshake, and puts in the place of the connection's handler what goes on with what came
    /// behind it.
    func giveWay(
        _ handler: CallerHandler, _ preface: ByteBuffer, leftover: ByteBuffer,
        in context: ChannelHandlerContext, to makeSuccessor: () -> any ChannelHandler
    ) {
        context.write(NIOAny(preface), promise: nil)
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(makeSuccessor(), position: .after(handler))
        } catch {
            return context.close(promise: nil)
        }
        // The successor may have nothing to say yet.
        context.flush()
        if leftover.readableBytes > 0 {
            context.fireChannelRead(NIOAny(leftover))
            context.fireChannelReadComplete()
        }
        pipeline.removeHandler(handler, promise: nil)
    }
}
