import AgentStatus
import Logging
import NIOCore
import Observability
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// Its sessions, from the dial to what is said of their end.
extension TunnelClient {
    /// Why a dial came to nothing; without secrets.
    struct DialFailure {
        let code: ErrorCode
        let message: String
    }

    /// Opens a session of one of its connections.
    func open(
        _ slot: Int, _ life: SessionLife, by dial: Dial, on eventLoop: any EventLoop
    ) async throws {
        let givesWay = passwordGivesWay.load(ordering: .relaxed)
        do {
            try await open(dialler(slot, dial, passwordGivesWay: givesWay), life, by: dial.way, on: eventLoop)
        } catch let error as DialError where error.status == 401 && hasTwoPasswords {
            do {
                try await open(
                    dialler(slot, dial, passwordGivesWay: !givesWay), life, by: dial.way, on: eventLoop)
            } catch let other as DialError where other.status == 401 && givesWay {
                // What stands before the server let the first one pass: its answer is the server's own.
                throw error
            }
            passwordGivesWay.store(!givesWay, ordering: .relaxed)
            logger.info(
                givesWay
                    ? "The token's password went in Authorization: what stands before the server does not ask for it"
                    : "The token's password went in X-Tunnel-Authorization: what stands before the server wants the other"
            )
        }
    }

    private func dialler(_ slot: Int, _ dial: Dial, passwordGivesWay: Bool) -> TunnelDialler {
        TunnelDialler(
            target(slot, by: dial.way, passwordGivesWay: passwordGivesWay),
            answerPatience: dial.patience, tellForeign: foreignAnswered)
    }

    /// Opens a session; gives up when the task is cancelled.
    ///
    /// - Parameter takesRequests: whether the server may give it any.
    func open(
        _ dialler: TunnelDialler, _ life: SessionLife, by way: TransportChoice.Way,
        takesRequests: Bool = true, on eventLoop: any EventLoop
    ) async throws {
        guard !isPaused, !isRetired else { throw CancellationError() }
        _ = try await dialler.dial(on: eventLoop) {
            self.makeSession($0, life, by: way, takesRequests: takesRequests, eventLoop)
        }
    }

    /// A session has ended.
    func tellEnd(of life: SessionLife, _ end: SessionEnd) {
        forget(life)
        identity.sessionEnded(end.code)
        sessionEnded(life, end)
        let fields: LogFields = [
            .sessionID: .stringConvertible(life.id), .errorCode: .code(end.code),
            .closeReason: "\(end.message)",
        ]
        let (level, message): (Logger.Level, String)
        switch end {
        case .drained, .closedByUs: (level, message) = (.info, "Session ended")
        default:
            // Of one whose place others have taken already nothing is missed.
            if !life.isLeaving { noteFault(end.code, masked(end.message)) }
            (level, message) = (.warning, "Session lost")
        }
        if life.wasReady {
            logger.tell(.sessionDown, level, message, metadata: fields, detail: masked(end.message))
        } else {
            logger.log(level: level, "\(message)", metadata: Logger.Metadata(fields))
        }
    }

    private func makeSession(
        _ version: ProtocolVersion, _ life: SessionLife, by way: TransportChoice.Way, takesRequests: Bool,
        _ eventLoop: any EventLoop
    ) -> any Session {
        let configuration = setup.value.configuration
        var limits = SessionLimits(keepaliveTimeout: configuration.timeout)
        if !takesRequests { limits.maximumStreams = 0 }
        let owner = ClientSession(
            setup: setup, identity: identity, limits: limits, eventLoop: eventLoop, life: life,
            logger: logger
        ) { self.sessionIsUp(life) }
        let session: any Session
        switch version {
        case .v1:
            session = MessageSession(
                role: .acceptor, limits: limits, peer: "unknown", budget: budget,
                numbering: nil, owner: owner, now: eventLoop.instant)
        case .v2:
            let settings = SessionSettings(
                maximumStreams: limits.maximumStreams, initialWindow: limits.minimumWindow,
                software: software, tunnelName: configuration.name,
                hosts: takesRequests ? identity.hosts.claims(configuration.hosts) : [],
                features: .rawStreams)
            session = MuxSession(
                role: .acceptor, limits: limits, settings: settings, budget: budget, owner: owner,
                now: eventLoop.instant)
        }
        life.began(SessionReference(session, eventLoop: eventLoop), version: version, way: way)
        // Who changed it before the session was known here could not tell the session.
        let timeout = setup.value.configuration.timeout
        if timeout != configuration.timeout { session.setKeepaliveTimeout(timeout) }
        return session
    }

    // MARK: What it says of dials that failed

    func noteFailedDial(_ failure: DialFailure, _ complaint: RepeatedComplaint) {
        identity.dialFailed(failure.code)
        noteFault(failure.code, failure.message, count: complaint.count, since: complaint.since)
    }

    func tellThatItGaveUp(after tries: Int, _ failure: DialFailure) {
        logger.tell(
            .tunnelGaveUp, .error, "Gave up: the tunnel server was not reached",
            metadata: [.limit: .stringConvertible(tries), .errorMessage: "\(failure.message)"])
    }

    func complain(
        _ failure: DialFailure, _ wait: Duration, _ complaint: RepeatedComplaint,
        isNews: Bool, as kind: AgentEvent.Kind
    ) {
        var fields = Logger.Metadata([
            .tunnelURL: "\(Self.shown(setup.value.configuration.tunnel))",
            .errorCode: .code(failure.code), .errorMessage: "\(failure.message)",
            .retryDelayMilliseconds: .milliseconds(wait),
        ])
        if complaint.count > 1 {
            let since = LogTimestamp(millisecondsSince1970: Int64(complaint.since) * 1000)
            fields[.failureCount] = .stringConvertible(complaint.count)
            fields[.failureSince] = "\(since)"
        }
        logger.log(level: isNews ? .warning : .debug, "Cannot connect", metadata: fields)
        if isNews, complaint.timesTold == 1 { logger.publish(kind, "Cannot connect", fields) }
    }
}
