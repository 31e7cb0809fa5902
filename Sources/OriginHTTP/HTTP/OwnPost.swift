package import HTTPMessage
import HostSystem
package import NIOCore

/// A POST of the agent's own: sent whole, and of what comes back only the head counts. Bound to its event loop.
package final class OwnPost: OriginResponseReceiver {
    /// What came of it.
    package enum Outcome: Sendable {
        /// - Parameter retryAfter: how long the server asks to be left alone.
        case answered(status: Int, retryAfter: Duration?)
        case timedOut
        /// The task was cancelled, or the event loops end.
        case calledOff
        /// No answer came.
        case failed(OriginError)
    }

    private let eventLoop: any EventLoop
    private let mostRead: Int
    private let promise: EventLoopPromise<Outcome>
    private var exchange: (any OriginExchange)?
    private var timer: Scheduled<Void>?
    private var isOver = false
    private var answer: Outcome?
    private var bytesRead = 0

    private init(on eventLoop: any EventLoop, mostRead: Int) {
        self.eventLoop = eventLoop
        self.mostRead = mostRead
        promise = eventLoop.makePromise()
    }

    /// Sends it, and waits for the answer.
    ///
    /// - Parameters:
    ///   - timeout: for all of it. It is broken off when that is over, or the task is cancelled.
    ///   - mostRead: bytes of an answer's body that are read, so that its connection can be used again.
    package static func send(
        _ head: RequestHead, _ body: ByteBuffer, to origin: HTTPOrigin, within timeout: Duration,
        mostRead: Int, on eventLoop: any EventLoop
    ) async -> Outcome {
        let isCalledOff = eventLoop.makePromise(of: Void.self)
        defer { isCalledOff.succeed() }
        let outcome = eventLoop.flatSubmit {
            let post = OwnPost(on: eventLoop, mostRead: mostRead)
            isCalledOff.futureResult.assumeIsolated().whenComplete { _ in post.breakOff(.calledOff) }
            return post.begin(head, body, to: origin, within: TimeAmount(timeout))
        }
        return await withTaskCancellationHandler {
            (try? await outcome.get()) ?? .calledOff
        } onCancel: {
            isCalledOff.succeed()
        }
    }

    private func begin(
        _ head: RequestHead, _ body: ByteBuffer, to origin: HTTPOrigin, within timeout: TimeAmount
    ) -> EventLoopFuture<Outcome> {
        timer = eventLoop.assumeIsolated().scheduleTask(in: timeout) { self.breakOff(.timedOut) }
        let exchange = origin.begin(
            head, framing: .length(body.readableBytes), host: nil, on: eventLoop, receiver: self)
        self.exchange = exchange
        exchange.send(body)
        exchange.end(trailers: nil)
        return promise.futureResult
    }

    private func breakOff(_ outcome: Outcome) {
        guard !isOver else { return }
        exchange?.cancel()
        end(answer ?? outcome)
    }

    private func end(_ outcome: Outcome) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        timer = nil
        exchange = nil
        promise.succeed(outcome)
    }

    package func originAnswered(_ head: consuming ResponseHead, framing: BodyFraming) {
        guard !head.isInterim else { return }
        answer = .answered(status: head.status, retryAfter: head.fields.retryAfter(now: UnixTime.now))
    }

    package func originSent(_ bytes: ByteBuffer) {
        bytesRead += bytes.readableBytes
        if bytesRead > mostRead, let answer { breakOff(answer) }
    }

    package func originEnded(trailers: HeaderFields?) {
        end(answer ?? .failed(OriginError(.malformed, "an end came without an answer")))
    }

    package func originFailed(_ error: OriginError) { end(answer ?? .failed(error)) }

    package func originBecameWritable() {}
}
