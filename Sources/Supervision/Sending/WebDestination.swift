import AgentStatus
import HTTPMessage
import HostSystem
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

    private let origin: HTTPOrigin
    private let tls: ClientTLS
    private let target: String
    private let eventLoop: any EventLoop

    /// - Parameters:
    ///   - path: goes behind the URL's.
    ///   - connections: at most.
    ///   - hasSystemRoots: whether the machine has certificates of authorities.
    /// - Throws: when certificates cannot be used.
    init(
        _ url: OriginURL, path: String = "", trust: PeerTrust = PeerTrust(), connections: Int = 1,
        on eventLoop: any EventLoop, hasSystemRoots: @escaping @Sendable () -> Bool
    ) throws(TLSSetupError) {
        tls = try ClientTLS(trust, hasSystemRoots: hasSystemRoots)
        let options = HTTPOriginOptions(
            idleConnections: connections, activeConnections: connections, waitingRequests: connections)
        origin = HTTPOrigin(
            OriginAddress(isSecure: url.isSecure, host: url.host, port: url.port), tls: tls, options: options)
        let whole = url.basePath + path
        target = whole.isEmpty ? "/" : whole
        self.eventLoop = eventLoop
    }

    /// Reads the system's roots where they are needed, unless that has been done: takes a while, and not for event loops.
    ///
    /// - Throws: when there is nobody to trust.
    func prepare() throws(TLSSetupError) {
        if origin.address.isSecure { try tls.load(for: origin.address.host, offering: .http2OrHTTP1) }
    }

    /// It is used no more.
    func retire() { origin.retire() }

    /// Sends a body, and reads no more of what comes back than the head.
    ///
    /// - Parameters:
    ///   - fields: what goes with it, but for `Host` and the body's length.
    ///   - timeout: for all of it. It is broken off when that is over, or the task is cancelled.
    func post(_ body: ByteBuffer, _ fields: HeaderFields, within timeout: Duration) async -> Outcome {
        let isCalledOff = eventLoop.makePromise(of: Void.self)
        defer { isCalledOff.succeed() }
        let (origin, target, eventLoop) = (origin, target, eventLoop)
        let outcome = eventLoop.flatSubmit {
            let post = WebPost(on: eventLoop, place: origin.address.place)
            isCalledOff.futureResult.assumeIsolated().whenComplete { _ in post.callOff() }
            return post.begin(
                RequestHead(method: "POST", target: target, fields: fields), body, to: origin,
                within: TimeAmount(timeout))
        }
        return await withTaskCancellationHandler {
            do {
                return try await outcome.get()
            } catch {
                return .failed(.stopping, "the agent is stopping")
            }
        } onCancel: {
            isCalledOff.succeed()
        }
    }
}

/// One POST of our own. Bound to its event loop.
private final class WebPost: OriginResponseReceiver {
    /// Bytes of an answer that are read, so that its connection can be used again.
    private static let mostRead = 64 * 1024

    private let eventLoop: any EventLoop
    private let place: String
    private let promise: EventLoopPromise<WebDestination.Outcome>
    private var exchange: (any OriginExchange)?
    private var timer: Scheduled<Void>?
    private var isOver = false
    private var answer: WebDestination.Outcome?
    private var bytesRead = 0

    init(on eventLoop: any EventLoop, place: String) {
        self.eventLoop = eventLoop
        self.place = place
        promise = eventLoop.makePromise()
    }

    func begin(
        _ head: RequestHead, _ body: ByteBuffer, to origin: HTTPOrigin, within timeout: TimeAmount
    ) -> EventLoopFuture<WebDestination.Outcome> {
        timer = eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.breakOff(
                .failed(.timedOut, "no answer from \(self.place) in \(timeout.nanoseconds / 1_000_000) ms"))
        }
        let exchange = origin.begin(
            head, framing: .length(body.readableBytes), host: nil, on: eventLoop, receiver: self)
        self.exchange = exchange
        exchange.send(body)
        exchange.end(trailers: nil)
        return promise.futureResult
    }

    /// Nobody waits for it any more.
    func callOff() { breakOff(.failed(.stopping, "the agent is stopping")) }

    private func breakOff(_ outcome: WebDestination.Outcome) {
        guard !isOver else { return }
        exchange?.cancel()
        end(answer ?? outcome)
    }

    private func end(_ outcome: WebDestination.Outcome) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        timer = nil
        exchange = nil
        promise.succeed(outcome)
    }

    func originAnswered(_ head: consuming ResponseHead, framing: BodyFraming) {
        guard !head.isInterim else { return }
        answer = .answered(
            status: head.status, retryAfter: head.fields.retryAfter(now: UnixTime.now))
    }

    func originSent(_ bytes: ByteBuffer) {
        bytesRead += bytes.readableBytes
        if bytesRead > Self.mostRead, let answer { breakOff(answer) }
    }

    func originEnded(trailers: HeaderFields?) {
        end(answer ?? .failed(.malformed, "no answer from \(place)"))
    }

    func originFailed(_ error: OriginError) { end(answer ?? .failed(error.errorCode, error.message)) }

    func originBecameWritable() {}
}
