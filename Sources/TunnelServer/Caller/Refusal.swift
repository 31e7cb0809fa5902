package import AgentStatus
package import HTTPMessage
import HTTPServing
import ProxyProtocol
import Routing

/// Why the tunnel server does not do what a caller or a tunnel client asks: the reason for the log, and what it answers,
/// in the words of the Go program where it has them.
package struct Refusal: Error, Sendable, Equatable {
    /// For logs and metrics.
    package let code: ErrorCode
    /// The reason, a line of text.
    package let text: String
    /// What who asked gets: the same line.
    package private(set) var answer: OwnAnswer

    /// - Parameters:
    ///   - retryAfter: seconds after which trying again makes sense, or nil.
    ///   - limit: the name of the limit that was met, for who asked to know; nil for none.
    init(_ status: Int, _ text: String, _ code: ErrorCode, retryAfter: Int? = nil, limit: String? = nil) {
        self.code = code
        self.text = text
        answer = OwnAnswer(status, line: limit.map { "\(text) (limit: \($0))" } ?? text)
        if let limit { answer.append(named: "X-Limit", limit) }
        if status == 401 { answer.append(.wwwAuthenticate, "Basic realm=\"wstunnel\"") }
        if let retryAfter { answer.append(.retryAfter, String(retryAfter)) }
    }

    /// Of the answer.
    package var status: Int { answer.status }

    // Requests of callers.
    static let missingToken = Refusal(400, "Missing X-Token header", .missingToken)
    static let repeatedToken = Refusal(400, "More than one X-Token header", .missingToken)
    static let missingTokenInPath = Refusal(400, "Missing token in URI", .missingToken)
    static let malformedTokenInPath = Refusal(
        400, "Malformed token in URI: write /_token/<token>/<path>, with a token of 16 to 1024 characters",
        .missingToken)
    static let connectUnsupported = Refusal(501, "CONNECT is not supported", .badRequest)
    static let notOriginForm = Refusal(400, "The request target must be a path", .badRequest)
    static let notTheTunnelPath = Refusal(
        404, "Tunnel clients are not served at this path: is the base path right?", .wrongBasePath)
    static let outsideBasePath = Refusal(404, "Not found", .notFound)
    static let tunnelNotFound = Refusal(
        404, "Tunnel not found (or not seen in a long time)", .tunnelNotFound)
    static let tooManyWaiting = Refusal(
        504, "too many requests in-flight, tunnel broken?", .queueFull, retryAfter: 5,
        limit: "max-requests-per-tunnel")
    static let tunnelTimeout = Refusal(504, "Tunnel timeout", .timeout, retryAfter: 5)
    static let tunnelLost = Refusal(502, "The tunnel was lost while it carried this request", .tunnelLost)
    static let tunnelBusy = Refusal(
        503, "The tunnel takes no more requests now", .tunnelBusy, retryAfter: 1,
        limit: "max-requests-per-session")
    static let originFailed = Refusal(502, "The origin broke off before its answer", .originFailed)
    static let unaskedUpgrade = Refusal(
        502, "The origin switched to a protocol that was not asked for", .unaskedUpgrade)
    static let badAnswer = Refusal(506, "The tunnel's answer is no valid HTTP response", .badAnswer)
    static let requestTooLarge = Refusal(
        413, "The request is larger than this tunnel's client takes (100 MiB)", .requestTooLarge)
    static let requestTooSlow = Refusal(
        408, "The request came too slowly while others had to wait for it", .requestTooSlow)
    static let upgradeUnsupported = Refusal(
        501, "This tunnel's client speaks protocol v1, which carries no WebSockets", .upgradeUnsupported)
    static let noRawStreams = Refusal(
        501, "This tunnel's client is too old to carry TCP: update it", .upgradeUnsupported)
    static let noRawOrigin = Refusal(
        502, "No TCP service stands behind this tunnel: its \"server\" is not tcp://host:port",
        .upgradeUnsupported)
    static let ambiguousPath = Refusal(
        400,
        "The path can be read in more than one way: write it without \"//\", \".\", \"..\", \";\" and needless escapes",
        .badRequest)
    static let noHost = Refusal(400, "The request names no host", .badRequest)
    static let certificateRequired = Refusal(
        403, "A client certificate is required here, and none was shown that counts", .certificateRequired)
    static let tooManyCallers = Refusal(
        503, "Too many connections", .tooManyCallers, retryAfter: 1, limit: "connections")
    static let overloaded = Refusal(
        503, "The tunnel server is overloaded", .overloaded, retryAfter: 5, limit: "load")
    static let paused = Refusal(
        503, "The tunnel server is paused: it takes no requests for now", .paused, retryAfter: 10)
    /// Of callers and tunnel clients.
    static let tokenBlocked = Refusal(
        403, "The token is blocked here: ask who runs the tunnel server", .tokenBlocked)
    static let cutShort = Refusal(502, "The tunnel server stopped before the answer came", .stopped)
    static let stopping = Refusal(503, "The tunnel server is stopping", .stopping, retryAfter: 5)
    static let headTimeout = Refusal(
        408, "The request did not come in time", .headTimeout, limit: "head-timeout")

    // Handshakes of tunnel clients.
    static let notGET = Refusal(400, "Only GET requests are supported", .badHandshake)
    static let notHTTP1 = Refusal(
        400, "Tunnel clients connect by HTTP/1.1: a stream of HTTP/2 carries no tunnel", .badHandshake)
    static let notPOST = Refusal(400, "Only POST requests are supported", .badHandshake)
    static let notLongPoll = Refusal(400, "Not a request of a tunnel client", .badHandshake)
    static let noInnerTLS = Refusal(
        400, "This tunnel server speaks no TLS inside tunnels: it needs tls or inner-tls", .badHandshake)
    static let tooManyRequests = Refusal(
        503, "Too many requests of this tunnel session at once", .badHandshake, retryAfter: 1,
        limit: "requests-per-longpoll-session")
    static let longPollOff = Refusal(404, "Long polling is switched off here", .badHandshake)
    /// The same for one that ended, and one that never was.
    static let unknownSession = Refusal(410, "No such tunnel session (any more)", .badHandshake)
    static let originMissing = Refusal(
        400, "Origin header with rendez-vous token required", .badHandshake)
    static let tokenTooShort = Refusal(
        400, "Rendez-vous token is too short (must be at least 16 characters)", .badHandshake)
    static let tokenMalformed = Refusal(400, "Rendez-vous token is malformed", .badHandshake)
    static let notWebSocket = Refusal(400, "Not a WebSocket handshake", .badHandshake)
    /// The same words for each cause: which it is would help those who guess.
    static let unauthorized = Refusal(
        401, "Unauthorized: password missing or wrong, or token not listed", .unauthorized)
    static let clientCertificateRequired = Refusal(
        403, "A certificate is required of tunnel clients: name it in client-certificate",
        .certificateRequired)
    static let certificateNotAllowed = Refusal(
        403, "The name in the client certificate may not serve this token", .certificateRequired)
    /// Of callers and tunnel clients: for those whose token is somebody's nothing changes.
    static let tooManyGuesses = Refusal(
        429, "Too many requests with tokens that are nobody's, from this address", .tooManyGuesses,
        retryAfter: 5, limit: "guesses-per-address")
    static let tooManyFailures = Refusal(
        429, "Too many wrong passwords for this token from this address: this one was not looked at",
        .throttled, retryAfter: 60, limit: "passwords-per-address")
    static let tooManyClients = Refusal(
        429, "Too many clients for this rendez-vous token", .tooManyClients, retryAfter: 30,
        limit: "max-clients-per-token")
    static let tooManySessions = Refusal(
        503, "Too many tunnel clients", .tooManySessions, retryAfter: 30, limit: "sessions")
    static let tooManySessionsOfToken = Refusal(
        429, "Too many connections of tunnel clients for this rendez-vous token",
        .tooManySessionsOfToken,
        retryAfter: 30, limit: "max-sessions-per-token")
    static let tooManySessionsOfClient = Refusal(
        429, "Too many connections of this tunnel client", .tooManySessionsOfClient, retryAfter: 30,
        limit: "sessions-per-client")
    static let tooManySessionsFromAddress = Refusal(
        429, "Too many connections of tunnel clients from this address", .tooManySessionsFromAddress,
        retryAfter: 30, limit: "max-sessions-per-address")

    /// Whether strangers can have it as often as they like: the log tells it once a minute, with how often.
    var isToldRarely: Bool {
        status == 429 || self == .tooManySessions || self == .clientCertificateRequired
            || self == .tokenBlocked
    }

    /// The same method at the place with a slash.
    static func missingSlash(location: String) -> Refusal {
        var refusal = Refusal(308, "The path behind the token begins with a slash", .missingSlash)
        refusal.answer.append(named: "Location", location)
        return refusal
    }

    static let proxyProtocol = Refusal(
        400,
        "PROXY protocol is not understood here: switch it off in what stands before the server, or set proxy-protocol and "
            + "trusted-proxies",
        .proxyProtocol)
    // Of connections that never got to HTTP: nobody gets them as answers.
    static let notTrustedProxy = Refusal(
        400, "with proxy-protocol: required only trusted-proxies may connect", .proxyProtocol)
    static let noProxyHeader = Refusal(
        400,
        "the connection did not begin with a PROXY header: switch it on in what stands before the server (HAProxy: "
            + "send-proxy-v2, nginx: proxy_protocol on), or set proxy-protocol: optional",
        .proxyProtocol)
    static func badProxyHeader(_ error: ProxyHeaderError) -> Refusal {
        Refusal(400, "the PROXY header makes no sense: \(error)", .proxyProtocol)
    }
    static let tlsSpoken = Refusal(
        400, "This port speaks plain HTTP, not TLS: use http:// or ws://, or a proxy that ends TLS",
        .tlsSpoken)

    static let plainSpoken = Refusal(
        400, "This port speaks TLS: write https:// or wss:// before the host", .plainSpoken)
    /// In a handshake of TLS: nobody gets it as an answer.
    static func tlsFailed(_ reason: String) -> Refusal { Refusal(400, reason, .tlsFailed) }

    static func malformed(_ error: HTTPMessageError) -> Refusal {
        Refusal(error.status, "Bad request: \(error)", .badRequest)
    }
}

extension OwnAnswer {
    /// What `/_health_check` tells.
    static let healthy = OwnAnswer(200, line: "WSTUNSRV RUNNING")

    /// The same, at the listener that speaks TLS.
    static func redirect(to location: String) -> OwnAnswer {
        var answer = OwnAnswer(308, line: "This is served by TLS")
        answer.append(named: "Location", location)
        return answer
    }

    /// To a request that may go no further.
    static func hopsUsedUp(_ method: String) -> OwnAnswer {
        method == "TRACE"
            ? OwnAnswer(501, line: "This tunnel server does not answer TRACE itself")
            : OwnAnswer(200, line: "A tunnel server: with Max-Forwards: 0 the request goes no further")
    }
}

extension Refusal {
    /// The answer to what is no request.
    init(_ fault: RequestFault) {
        self =
            switch fault {
            case .headTimeout: .headTimeout
            case .malformed(_, .tls): .tlsSpoken
            case .malformed(_, .proxyProtocol): .proxyProtocol
            case .malformed(let error, nil): .malformed(error)
            }
    }

    /// The answer to a request that goes nowhere.
    init(_ error: RouteError) {
        self =
            switch error {
            case .connectUnsupported: .connectUnsupported
            case .notOriginForm: .notOriginForm
            case .outsideBasePath: .outsideBasePath
            case .notTheTunnelPath: .notTheTunnelPath
            case .missingToken: .missingToken
            case .repeatedToken: .repeatedToken
            case .missingTokenInPath: .missingTokenInPath
            case .malformedTokenInPath: .malformedTokenInPath
            case .missingSlash(let location): .missingSlash(location: location)
            case .tunnelNotFound: .tunnelNotFound
            case .noHost: .noHost
            case .ambiguousPath: .ambiguousPath
            }
    }

    /// The answer to a tunnel client that may not come in.
    init(_ error: AdmissionError) {
        self =
            switch error {
            case .notGET: .notGET
            case .notPOST: .notPOST
            case .tokenMissing: .originMissing
            case .tokenTooShort: .tokenTooShort
            case .tokenMalformed: .tokenMalformed
            case .notWebSocket: .notWebSocket
            case .unauthorized: .unauthorized
            case .certificateMissing: .clientCertificateRequired
            case .certificateNotAllowed: .certificateNotAllowed
            case .tooManyFailures: .tooManyFailures
            case .tooManySessions: .tooManySessions
            case .tooManySessionsOfToken: .tooManySessionsOfToken
            case .tooManySessionsFromAddress: .tooManySessionsFromAddress
            }
    }
}
