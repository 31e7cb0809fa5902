import AgentStatus
import HTTPMessage
import NIOCore
import OriginHTTP
import TransportSecurity
import TunnelConfiguration

/// A web server that the agent itself sends things to: a few connections of its own, on one event loop.
struct WebDestination: Sendable {
    /// What came of a POST.
    enum Outcome: Sendable {
        /// - Parameter retryAfter: how long the server asks to be left alone.
        case answered(status: Int, retryAfter: Duration?)
        /// No answer came; the message says what happened and where.
        case failed(ErrorCode, String)
    }

    /// Bytes of an answer that are read, so that its connection can be used again.
    private static let mostRead = 64 * 1024

    private let origin: HTTPOrigin
    private let target: String
    private let eventLoop: any EventLoop

    /// - Parameters:
    ///   - path: goes behind the URL's.
    ///   - connections: at most.
    ///   - hasSystemRoots: whether the machine has certificates of authorities.
    /// - Throws: when certificates cannot be used. May read the system's roots: not for event loops.
    init(
        _ url: OriginURL, path: String = "", trust: PeerTrust = PeerTrust(), connections: Int = 1,
        on eventLoop: any EventLoop, hasSystemRoots: @escaping @Sendable () -> Bool
    ) throws(TLSSetupError) {
        let tls = try ClientTLS(trust, hasSystemRoots: hasSystemRoots)
        if url.isSecure { try tls.load(for: url.host, offering: .http2OrHTTP1) }
        let options = HTTPOriginOptions(
            idleConnections: connections, activeConnections: connections, waitingRequests: connections)
        origin = HTTPOrigin(
            OriginAddress(isSecure: url.isSecure, host: url.host, port: url.port), tls: tls, options: options)
        let whole = url.basePath + path
        target = whole.isEmpty ? "/" : whole
        self.eventLoop = eventLoop
    }

    /// It is used no more.
    func retire() { origin.retire() }

    /// Sends a body, and reads no more of what comes back than the head.
    ///
    /// - Parameters:
    ///   - fields: what goes with it, but for `Host` and the body's length.
    ///   - timeout: for all of it. It is broken off when that is over, or the task is cancelled.
    func post(_ body: ByteBuffer, _ fields: HeaderFields, within timeout: Duration) async -> Outcome {
        let outcome = await OwnPost.send(
            RequestHead(method: "POST", target: target, fields: fields), body, to: origin, within: timeout,
            mostRead: Self.mostRead, on: eventLoop)
        let place = origin.address.place
        return switch outcome {
        case .answered(let status, let retryAfter): .answered(status: status, retryAfter: retryAfter)
        case .timedOut:
            .failed(.timedOut, "no answer from \(place) in \(Int(timeout / .milliseconds(1))) ms")
        case .calledOff: .failed(.stopping, "the agent is stopping")
        case .failed(let error): .failed(error.errorCode, error.message)
        }
    }
}
