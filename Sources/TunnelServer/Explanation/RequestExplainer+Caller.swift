import AgentStatus
import HTTPMessage
import NIOCore
import Routing
import TunnelConfiguration
import TunnelProtocol

// The way to a head that makes sense: the connection, and who calls.
extension RequestExplainer {
    /// What the connection has to be.
    mutating func connect(_ query: ExplanationQuery) throws(Ended) {
        try checkTLS(query)
        if settings.proxyHeader != nil { noteProxyHeader() }
        if query.certificateName != nil, !asksForCertificates {
            note(.certificate, "none is asked for: the one that is shown does not count", "tls")
        }
        let left = facts?.banLeft(of: query.from)
        if let port = settings.tcp { try connect(query.from, to: port, isBanned: left != nil) }
        if let left {
            note(
                .ban, "\(query.from) is shut out for another \(Self.text(left)): wstunnel unban lets it in",
                "ban")
            throw closed(
                "the connection is closed without an answer; on one from before: "
                    + Refusal.banned(left).text)
        }
        guard let most = settings.connectionsPerAddress(from: query.from) else { return }
        note(.limits, "up to \(most) connections at once from an address", "limits.per-address.connections")
    }

    private mutating func checkTLS(_ query: ExplanationQuery) throws(Ended) {
        let spoken = isSecure ? "TLS" : "plain HTTP"
        if reason == .publicURL || reason == .mayBeInFront {
            note(
                .connection,
                "by what stands before the server, which speaks \(spoken) with it: --from is its address",
                "public-url")
        } else if query.isSecure == isSecure {
            note(.connection, "\(spoken), as the URL has it")
        } else if isSecure {
            note(.connection, "this port speaks TLS, and the URL begins with http://", "tls")
            throw ended(Refusal.plainSpoken)
        } else if reason == .named {
            note(.connection, "plain HTTP: something before the server has to end the TLS of the URL")
        } else {
            note(.connection, "this port speaks plain HTTP, and the URL begins with https://", "tls")
            throw closed("the handshake of TLS fails: \(Refusal.tlsSpoken.text)")
        }
    }

    private mutating func noteProxyHeader() {
        let demand =
            settings.proxyHeader == .required
            ? "required: begins with a PROXY header of one of trusted-proxies, others are cut off"
            : "optional: one of trusted-proxies may begin with a PROXY header"
        note(.connection, "\(demand); --from is the address that it names", "proxy-protocol")
    }

    private mutating func connect(_ address: String, to port: TCPPort, isBanned: Bool) throws(Ended) {
        hide(port.token.secret, as: port.token.hint)
        note(
            .connection,
            "no HTTP: bytes go as they are through the tunnel of token \(port.token.hint) at \(port.server)",
            "")
        guard !isBanned, port.takes(address) else {
            note(.rules, "\(address) may not connect here", "callers")
            throw closed("the connection is closed at once")
        }
        if facts?.isPaused == true {
            notePause()
            throw closed("the connection is closed at once")
        }
        if facts?.isBlocked(port.token) == true {
            noteBlock(port.token)
            throw closed("the connection is closed at once")
        }
        if facts?.isOverloaded == true {
            noteOverload()
            throw closed("the connection is closed at once (limit: load)")
        }
        if let hit = hold(settings.limitedParties(to: port.token, from: address)) {
            throw closed("the connection is closed at once (limit: \(hit.limit))")
        }
        throw ended(
            try tunnelOutcome(port.token, from: address, nil, "bytes go to the service behind the tunnel"))
    }

    /// The head, as the server reads it from the bytes.
    mutating func read(_ query: ExplanationQuery) throws(Ended) -> (RequestHead, BodyFraming) {
        var text = "\(query.method) \(query.target) HTTP/1.1\r\n"
        for field in query.fields { text += "\(field.name): \(field.value)\r\n" }
        do throws(HTTPMessageError) {
            var head = try RequestHead(whole: ByteBuffer(string: text + "\r\n"), limits: HTTPLimits())
            let framing = try head.bodyFraming()
            try head.settleTarget()
            try head.settleLength()
            return (head, framing)
        } catch {
            note(.request, "\(error)")
            throw ended(Refusal.malformed(error))
        }
    }

    /// Who calls, and whether it is shut out.
    mutating func call(_ head: RequestHead, from peer: String) throws(Ended) -> CallerAddress {
        let caller = settings.routes.caller(at: peer, head.fields)
        let saysMore = head.fields.contains(.xForwardedFor) || head.fields.contains(.forwarded)
        if caller.isPeerTrusted {
            let words =
                saysMore
                ? "\(caller.text), as \(peer), one of trusted-proxies, says"
                : "\(peer), one of trusted-proxies, names no other"
            note(.caller, words, "trusted-proxies")
        } else if saysMore {
            note(
                .caller, "\(peer): none of trusted-proxies, so that what it says of others does not count",
                "trusted-proxies")
        } else {
            note(.caller, peer)
        }
        if let left = facts?.banLeft(of: caller.text) {
            note(
                .ban, "\(caller.text) is shut out for another \(Self.text(left)): wstunnel unban lets it in",
                "ban")
            throw ended(Refusal.banned(left), head)
        }
        return caller
    }

    /// In whole seconds, and no fewer than there are.
    static func text(_ duration: Duration) -> String {
        DurationText.format(
            .seconds(duration.components.seconds + (duration.components.attoseconds > 0 ? 1 : 0)))
    }
}
