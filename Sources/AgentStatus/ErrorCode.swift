/// What went wrong, in a word of a closed set: `error.code` in the log and `code` in a status, fit to be counted by.
///
/// Words are in lower case with hyphens. What they say of a single case, such as a status or a name, stands in the message
/// beside them.
package enum ErrorCode: String, Hashable, Sendable, CaseIterable {
    // MARK: The tunnel server was not reached

    /// No connection came about, to the server or to an origin: name, network, TLS.
    case unreachable
    /// No answer in time.
    case timedOut = "timed-out"
    /// The server refused; its status and the first line of its words are in the message.
    case rejected
    /// What answered is no tunnel server that we can talk to.
    case notATunnelServer = "not-a-tunnel-server"
    case proxyUnreachable = "proxy-unreachable"
    case proxyTimedOut = "proxy-timed-out"
    case proxyRejected = "proxy-rejected"
    case notAProxy = "not-a-proxy"
    /// None of the local ports that may be used is free.
    case noClientPort = "no-client-port"

    // MARK: A session is over

    case drained
    case closedByPeer = "closed-by-peer"
    case connectionLost = "connection-lost"
    case peerSilent = "peer-silent"
    case peerStuck = "peer-stuck"
    case peerMisbehaved = "peer-misbehaved"
    case closed

    // MARK: An origin gave no whole answer

    /// Nobody listens at its address.
    case refused
    /// Its name has no address.
    case unresolvable
    case tlsFailed = "tls-failed"
    case closedEarly = "closed-early"
    /// What it sent is no HTTP response.
    case malformed
    /// The request cannot be sent.
    case badRequest = "bad-request"
    /// The version of HTTP that it speaks cannot carry the request.
    case unsupported
    case tooBusy = "too-busy"
    /// The process may open no more files, nor connections.
    case noDescriptors = "no-descriptors"
    case unreadable

    // MARK: A tunnel client was not let in

    case badHandshake = "bad-handshake"
    case unauthorized
    /// No certificate was shown, or not one of the right name. Of callers too.
    case certificateRequired = "certificate-required"
    /// Too many wrong passwords came before.
    case throttled
    case tooManyGuesses = "too-many-guesses"
    case tooManyClients = "too-many-clients"
    case tooManySessions = "too-many-sessions"
    case tooManySessionsOfToken = "too-many-sessions-of-token"
    case tooManySessionsOfClient = "too-many-sessions-of-client"
    case tooManySessionsFromAddress = "too-many-sessions-from-address"
    case stopping

    // MARK: A caller's request was not passed on, or its answer not passed back

    case missingToken = "missing-token"
    case wrongBasePath = "wrong-base-path"
    case notFound = "not-found"
    case tunnelNotFound = "tunnel-not-found"
    case missingSlash = "missing-slash"
    /// Nobody may call from where the caller is.
    case addressNotAllowed = "address-not-allowed"
    case methodNotAllowed = "method-not-allowed"
    /// Who calls has not logged in, or was wrong about the password.
    case loginRequired = "login-required"
    /// The tunnel is being worked on.
    case maintenance
    case queueFull = "queue-full"
    case timeout
    case tunnelLost = "tunnel-lost"
    case tunnelBusy = "tunnel-busy"
    case originFailed = "origin-failed"
    case unaskedUpgrade = "unasked-upgrade"
    case upgradeUnsupported = "upgrade-unsupported"
    case badAnswer = "bad-answer"
    case requestTooLarge = "request-too-large"
    case requestTooSlow = "request-too-slow"
    case headTimeout = "head-timeout"
    case tooManyCallers = "too-many-callers"
    /// A limit that the configuration sets; its name stands in `limit`, and in the answer.
    case limitReached = "limit-reached"
    /// Too many guesses came from its address.
    case banned
    /// The process runs short of memory or the like.
    case overloaded
    case stopped
    case proxyProtocol = "proxy-protocol"
    case tlsSpoken = "tls-spoken"
    case plainSpoken = "plain-spoken"

    // MARK: A server is in want of something

    case outOfDescriptors = "out-of-descriptors"
    case listenerFailed = "listener-failed"
    /// Its certificate ends soon, or has ended.
    case certificateExpires = "certificate-expires"
}
