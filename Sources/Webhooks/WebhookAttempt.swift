import AgentStatus
import HTTPMessage
import HostSystem
import NIOCore
import OriginHTTP

/// One try to tell a webhook of an event. Bound to its event loop.
final class WebhookAttempt: OriginResponseReceiver {
    /// What became of it.
    enum Outcome: Sendable, Equatable {
        case delivered
        /// - Parameter message: what happened, in words; no secret.
        case failed(WebhookQueue.Failure, ErrorCode, message: String)
    }

    /// Of an answer's body, which nobody looks at: with more of it the connection is not used again.
    private static let mostBodyBytes = 16_384

    private let eventLoop: any EventLoop
    private let timeout: TimeAmount
    private let result: EventLoopPromise<Outcome>
    private var exchange: (any OriginExchange)?
    private var timer: Scheduled<Void>?
    private var outcome: Outcome?
    private var bodyBytes = 0
    private var isOver = false

    private init(
        on eventLoop: any EventLoop, timeout: TimeAmount, telling result: EventLoopPromise<Outcome>
    ) {
        self.eventLoop = eventLoop
        self.timeout = timeout
        self.result = result
    }

    /// Sends a request, and waits for its answer; a cancelled task gives it up.
    static func run(
        _ request: WebhookRequest, at origin: HTTPOrigin, timeout: Duration, on eventLoop: any EventLoop
    ) async -> Outcome {
        let result = eventLoop.makePromise(of: Outcome.self)
        let made = eventLoop.submit {
            let attempt = WebhookAttempt(on: eventLoop, timeout: TimeAmount(timeout), telling: result)
            attempt.start(request, at: origin)
            return NIOLoopBound(attempt, eventLoop: eventLoop)
        }
        return await withTaskCancellationHandler {
            (try? await result.futureResult.get()) ?? .stopped
        } onCancel: {
            made.whenSuccess { $0.value.end(.stopped) }
        }
    }

    private func start(_ request: WebhookRequest, at origin: HTTPOrigin) {
        timer = eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.end(
                self.outcome
                    ?? .failed(
                        .init(), .timedOut, message: "no answer in \(self.timeout.nanoseconds / 1_000_000) ms"
                    ))
        }
        let exchange = origin.begin(
            request.head, framing: .length(request.body.readableBytes), host: nil, on: eventLoop,
            receiver: self
        )
        self.exchange = exchange
        exchange.send(request.body)
        exchange.end(trailers: nil)
    }

    private func end(_ outcome: Outcome, isWhole: Bool = false) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        timer = nil
        let exchange = exchange.take()
        if !isWhole { exchange?.cancel() }
        result.succeed(outcome)
    }

    func originAnswered(_ head: consuming ResponseHead, framing: BodyFraming) {
        guard !head.isInterim else { return }
        outcome = Self.outcome(of: head)
        if framing == .none { end(outcome ?? .stopped) }
    }

    /// What the answer means: 2xx that it has the event; 408, 425, 429 and 5xx that it may have it later; all else that it
    /// never will.
    private static func outcome(of head: ResponseHead) -> Outcome {
        switch head.status {
        case 200..<300: return .delivered
        case 101, 300..<400:
            return .failed(
                .init(isFinal: true), .rejected,
                message: "it answered \(head.status): redirects are not followed, give the URL they lead to")
        case 408, 425, 429, 500...:
            return .failed(
                .init(retryAfter: head.fields.retryAfter(now: UnixTime.now)), .rejected,
                message: "it answered \(head.status)")
        default:
            return .failed(.init(isFinal: true), .rejected, message: "it answered \(head.status)")
        }
    }

    func originSent(_ bytes: ByteBuffer) {
        bodyBytes += bytes.readableBytes
        if bodyBytes > Self.mostBodyBytes, let outcome { end(outcome) }
    }

    func originEnded(trailers: HeaderFields?) { end(outcome ?? .stopped, isWhole: true) }

    func originFailed(_ error: OriginError) {
        end(outcome ?? .failed(.init(), error.errorCode, message: error.message), isWhole: true)
    }

    func originBecameWritable() {}
}

extension WebhookAttempt.Outcome {
    fileprivate static let stopped = Self.failed(.init(), .stopping, message: "the agent is stopping")
}
