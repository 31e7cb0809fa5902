package import AgentStatus

/// Why a tunnel server was not reached.
package struct DialError: Error, Sendable, CustomStringConvertible {
    /// A bounded set of reasons.
    package enum Code: Sendable, Hashable {
        /// No connection came about: name, network, TLS.
        case unreachable
        /// The server did not answer in time.
        case timedOut
        /// The server refused; its status and the first line of its words are in the message.
        case rejected
        /// What answered is no tunnel server that we can talk to.
        case notATunnelServer
        /// No connection to the proxy came about, or it closed the one there was.
        case proxyUnreachable
        /// The proxy did not answer in time.
        case proxyTimedOut
        /// The proxy refused; its status and words are in the message.
        case proxyRejected
        /// What answered is no HTTP proxy.
        case notAProxy
        /// None of the local ports that may be used is free.
        case noClientPort
    }

    package let code: Code
    /// What went wrong, in words.
    package let message: String
    /// Whether trying again soon is pointless: the server or the proxy said no to who we are, or that we come too
    /// often.
    package let isRefusal: Bool
    /// The status of the tunnel server's answer, where that is what went wrong.
    package let status: Int?
    /// Whether it failed as it does where something in between lets no WebSocket through: TCP and TLS came about, and then
    /// no WebSocket.
    package let isBlocked: Bool
    /// Whether there is no room beside those who are there: no client more for the token, or no local port.
    package let isForWantOfRoom: Bool

    package init(
        _ code: Code, _ message: String, isRefusal: Bool = false, isForWantOfRoom: Bool = false,
        isBlocked: Bool = false, status: Int? = nil
    ) {
        self.isBlocked = isBlocked
        self.status = status
        self.code = code
        self.message = message
        self.isRefusal = isRefusal
        self.isForWantOfRoom = isForWantOfRoom || code == .noClientPort
    }

    package var description: String { message }

    /// The same, where nothing in between can be the reason.
    var notBlocked: DialError {
        DialError(
            code, message, isRefusal: isRefusal, isForWantOfRoom: isForWantOfRoom, status: status)
    }

    /// The same, with the proxy named through which it was tried.
    func through(_ proxy: HTTPProxy?) -> DialError {
        guard let proxy else { return self }
        return DialError(
            code, "\(message) (through the proxy \(proxy.name))", isRefusal: isRefusal,
            isForWantOfRoom: isForWantOfRoom, isBlocked: isBlocked, status: status)
    }

    /// The code for logs and metrics.
    package var errorCode: ErrorCode {
        switch code {
        case .unreachable: .unreachable
        case .timedOut: .timedOut
        case .rejected: .rejected
        case .notATunnelServer: .notATunnelServer
        case .proxyUnreachable: .proxyUnreachable
        case .proxyTimedOut: .proxyTimedOut
        case .proxyRejected: .proxyRejected
        case .notAProxy: .notAProxy
        case .noClientPort: .noClientPort
        }
    }
}
