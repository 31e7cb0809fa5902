package import AgentStatus
import HTTPMessage
import HostSystem
import NIOCore
package import NIOPosix
import NameResolution
package import Observability
import OriginHTTP
import TransportSecurity
package import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// Looks at a tunnel from outside in: the way to its server, whether that lets it in, and its origins. A tunnel that runs is
/// not disturbed: what is dialled is a client of its own to the server, and takes no requests.
package struct TunnelExamination: Sendable {
    /// Days before its end in which a certificate is told of.
    static let certificateDays = 14
    /// Seconds by which two clocks may differ.
    static let clockTolerance = 60
    /// For each step.
    static let patience = TimeAmount.seconds(10)

    private let client: TunnelClient
    private let configuration: TunnelClientConfiguration
    private let eventLoop: any EventLoop
    private let subject: String
    private let now: Int

    /// - Parameters:
    ///   - log: where the client that is made for it writes.
    ///   - now: seconds since 1970.
    /// - Throws: when certificates cannot be used. Reads files: not for event loops.
    package init(
        _ configuration: TunnelClientConfiguration, group: MultiThreadedEventLoopGroup, log: AgentLog,
        software: String, trust: TrustPool, now: Int
    ) throws(TunnelClientError) {
        var configuration = configuration
        // The one that runs writes it.
        configuration.statusFile = nil
        self.configuration = configuration
        client = try TunnelClient(
            configuration, group: group, log: log, budget: ProcessReceiveBudget(),
            software: software, trust: trust)
        eventLoop = client.loops[0]
        subject = "tunnel \(configuration.name)"
        self.now = now
    }

    package func findings() async -> [DoctorReport.Finding] {
        let way = await wayToServer()
        let isReached = !way.contains { $0.verdict == .failed }
        let session = isReached ? await letIn() : []
        let origins = await origins()
        client.setup.value.directory.retire()
        return way + session + origins
    }

    private func finding(
        _ step: String, _ verdict: DoctorReport.Verdict, _ words: String, advice: String? = nil,
        _ time: Duration? = nil
    ) -> DoctorReport.Finding {
        DoctorReport.Finding(
            subject, step, verdict, client.masked(words), advice: advice,
            milliseconds: time.map { $0 / .milliseconds(1) })
    }

    // MARK: The way

    private func wayToServer() async -> [DoctorReport.Finding] {
        let url = configuration.tunnel
        let host = configuration.proxy?.host ?? url.host
        let port = configuration.proxy?.port ?? url.port
        let whose = configuration.proxy == nil ? "server" : "proxy"
        let place = hostAndPort(host, port)
        let begin = ContinuousClock.now
        let addresses: [SocketAddress]
        var findings: [DoctorReport.Finding] = []
        do {
            addresses = try await NameResolver.configured.lookUp(host, port: port, on: eventLoop).addresses
                .get()
            let list = addresses.prefix(4).compactMap(\.ipAddress).joined(separator: ", ")
            findings.append(finding("name", .ok, "the \(whose) \(host) is at \(list)", .now - begin))
        } catch {
            return [
                finding(
                    "name", .failed, client.words(for: error),
                    advice: "look at the name of the \(whose) in the file, and at this machine's name servers"
                )
            ]
        }
        findings.append(await connection(to: addresses, place, whose))
        guard findings.last?.verdict != .failed else { return findings }
        return findings + (await answer())
    }

    private func connection(
        to addresses: [SocketAddress], _ place: String, _ whose: String
    ) async -> DoctorReport.Finding {
        let begin = ContinuousClock.now
        var words = "there is no address"
        for address in addresses.prefix(4) {
            do {
                let channel = try await ClientBootstrap(group: eventLoop).connectTimeout(Self.patience)
                    .connect(to: address).get()
                channel.close(promise: nil)
                return finding("connection", .ok, "the \(whose) takes connections at \(place)", .now - begin)
            } catch {
                words = client.words(for: error)
            }
        }
        return finding(
            "connection", .failed, "no connection to the \(whose) at \(place): \(words)",
            advice: "is it running, and does a firewall let this machine out to that port?")
    }

    /// Of whatever answers there, to a request that says nothing of the tunnel.
    private func answer() async -> [DoctorReport.Finding] {
        var target = client.target(TunnelIdentity.trialSlot)
        if configuration.transport == .longpoll { target.carrier = .longPoll }
        do {
            let look = try await TunnelDialler(target, patience: Self.patience).look(
                at: configuration.tunnel.basePath + "/", on: eventLoop)
            return Self.findings(of: look, subject, now: now)
        } catch {
            let isProxy = [.proxyUnreachable, .proxyTimedOut, .proxyRejected, .notAProxy].contains(
                (error as? DialError)?.code)
            return [
                finding(
                    isProxy ? "proxy" : configuration.tunnel.isSecure ? "tls" : "http", .failed,
                    client.words(for: error),
                    advice: isProxy
                        ? "look at the proxy's address and credentials, and whether it lets this port through"
                        : "look at the URL's scheme and port, and at certfile, pin-sha256 and server-name")
            ]
        }
    }

    /// What an answer tells: its certificate and its clock.
    static func findings(of look: HTTPLook, _ subject: String, now: Int) -> [DoctorReport.Finding] {
        var findings: [DoctorReport.Finding] = []
        if let certificate = look.certificate {
            let days = (certificate.notAfter - now) / 86_400
            let isSoon = days < certificateDays
            findings.append(
                DoctorReport.Finding(
                    subject, "tls", isSoon ? .warning : .ok,
                    "the certificate of \(certificate.name) is good for \(days) days",
                    advice: isSoon ? "whoever runs the server should renew it" : nil,
                    milliseconds: look.connected / .milliseconds(1)))
        }
        findings.append(
            DoctorReport.Finding(
                subject, "http", look.head.status >= 500 ? .warning : .ok,
                "a plain request is answered by \(look.head.status)",
                milliseconds: look.answered / .milliseconds(1)))
        if let date = look.head.fields.first(named: "Date").flatMap({ HTTPDate.parse($0) }) {
            let skew = date - now
            let isFar = abs(skew) > clockTolerance
            findings.append(
                DoctorReport.Finding(
                    subject, "clock", isFar ? .warning : .ok,
                    isFar
                        ? "its clock is \(abs(skew)) s \(skew > 0 ? "ahead of" : "behind") this machine's"
                        : "its clock and this machine's agree",
                    advice: isFar ? "set both by NTP: certificates and logs depend on them" : nil))
        }
        return findings
    }

    // MARK: Letting in

    private func letIn() async -> [DoctorReport.Finding] {
        let ways: [TransportChoice.Way] =
            switch configuration.transport {
            case .websocket: [.webSocket]
            case .longpoll: [.longPoll]
            case .auto: configuration.protocol == .v1 ? [.webSocket] : [.webSocket, .longPoll]
            }
        var findings: [DoctorReport.Finding] = []
        for way in ways {
            let (finding, isBlocked) = await session(by: way, isLast: way == ways.last)
            findings.append(finding)
            guard isBlocked else { break }
        }
        return findings
    }

    private func session(
        by way: TransportChoice.Way, isLast: Bool
    ) async -> (DoctorReport.Finding, isBlocked: Bool) {
        let name = way == .webSocket ? "a WebSocket" : "long polling"
        let life = SessionLife(on: eventLoop)
        let begin = ContinuousClock.now
        defer { life.close() }
        do {
            for givesWay in [false, true] {
                do {
                    try await client.open(
                        TunnelDialler(
                            client.target(TunnelIdentity.trialSlot, by: way, passwordGivesWay: givesWay),
                            patience: Self.patience),
                        life, by: way, takesRequests: false, on: eventLoop)
                    break
                } catch let error as DialError
                    where error.status == 401 && client.hasTwoPasswords && !givesWay
                {
                    continue
                }
            }
        } catch {
            life.neverBegan()
            let isBlocked = (error as? DialError)?.isBlocked == true && !isLast
            return (
                finding(
                    "session", isBlocked || Self.isForWantOfRoom(error) ? .warning : .failed,
                    "no session by \(name): \(client.words(for: error))", advice: Self.advice(for: error)),
                isBlocked
            )
        }
        // What speaks v1 has no way to say that it takes no requests: it leaves at once.
        if life.version == .v1 {
            return (finding("session", .ok, "let in by \(name): protocol v1", .now - begin), false)
        }
        await isReady(life)
        guard life.wasReady else {
            return (
                finding(
                    "session", isLast ? .failed : .warning,
                    "\(name) opens, and then nothing comes: something in between holds it up",
                    advice: "try transport: longpoll, or look at what stands between"), !isLast
            )
        }
        return (finding("session", .ok, "let in by \(name): protocol v2", .now - begin), false)
    }

    /// Waits until the server has said who it is, for a while.
    private func isReady(_ life: SessionLife) async {
        let end = ContinuousClock.now + .nanoseconds(Self.patience.nanoseconds)
        while !life.wasReady, !life.isOver, .now < end {
            try? await eventLoop.scheduleTask(in: .milliseconds(10)) {}.futureResult.get()
        }
    }

    private static func isForWantOfRoom(_ error: any Error) -> Bool {
        (error as? DialError)?.isForWantOfRoom == true
    }

    private static func advice(for error: any Error) -> String? {
        guard let error = error as? DialError else { return nil }
        if error.isForWantOfRoom {
            return "no room for one client more beside those that run: that says nothing against the tunnel"
        }
        switch (error.code, error.status) {
        case (_, 401): return "look at the token and its password, in the file and at the server"
        case (_, 403): return "the server knows the token and does not let this client in: ask who runs it"
        case (_, 429):
            return "the server has shut out this machine for a while: wait, then correct the password"
        case (.notATunnelServer, _), (_, 404):
            return "is the URL's path right, and does what stands before the server pass WebSockets on?"
        default: return nil
        }
    }

    // MARK: Origins

    private func origins() async -> [DoctorReport.Finding] {
        var findings: [DoctorReport.Finding] = []
        for target in configuration.origins {
            switch target {
            case .echo, .folder: findings.append(finding("origin", .ok, "\(target.shown) is built in"))
            case .tcp(let host, let port): findings.append(await tcpOrigin(host, port))
            case .web, .socket: break
            }
        }
        let check = configuration.health ?? HealthCheck(timeout: .seconds(10), statuses: 100...599)
        for member in client.setup.value.directory.examined(named: configuration.origins.map(\.shown)) {
            let begin = ContinuousClock.now
            let failure = await withCheckedContinuation { (done: CheckedContinuation<String?, Never>) in
                eventLoop.execute {
                    OriginCheck(check, member, on: eventLoop) { done.resume(returning: $0) }.start()
                }
            }
            findings.append(
                failure.map {
                    finding(
                        "origin", .failed, "\(member.name): \($0)",
                        advice: "is the service running, and does it listen there for this machine?")
                } ?? finding("origin", .ok, "\(member.name) answers", .now - begin))
        }
        return findings
    }

    private func tcpOrigin(_ host: String, _ port: Int) async -> DoctorReport.Finding {
        let begin = ContinuousClock.now
        do {
            let channel = try await ClientBootstrap(group: eventLoop).connectTimeout(Self.patience)
                .connect(host: host, port: port).get()
            channel.close(promise: nil)
            return finding("origin", .ok, "\(hostAndPort(host, port)) takes connections", .now - begin)
        } catch {
            return finding(
                "origin", .failed, "\(hostAndPort(host, port)): \(client.words(for: error))",
                advice: "is the service running, and does it listen there for this machine?")
        }
    }
}
