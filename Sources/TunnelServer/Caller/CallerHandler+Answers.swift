import HTTPMessage
import NIOCore
import Observability

/// Answers of our own, and what comes behind an answer.
extension CallerHandler {
    /// - Parameter start: where the request begins in what came.
    func requestIsMalformed(_ error: HTTPMessageError, at start: Int) {
        switch phase {
        case .awaitingHead:
            let preface = ForeignPreface(input.readableBytesView)
            if let preface { core.tell("Connection is not HTTP", preface.refusal, from: address) }
            refuse(
                preface?.refusal ?? .malformed(error), method: method(at: start),
                record: makeRecord("-", path: "-"))
        case .exchange(let exchange):
            exchange.abort(.malformedRequest(error))
        case .takingRest:
            linger()
        case .raw, .lingering, .over:
            output?.close()
        }
    }

    /// The method of a request whose head makes no sense, or is not whole, as far as the answer depends on it: one to
    /// HEAD has no body, or its caller takes that for the next answer (RFC 9110 §9.3.2).
    func method(at start: Int) -> String {
        guard start <= input.writerIndex else { return "GET" }
        // What was read of it is still there: it is discarded at the end of `advance`. No bytes are copied.
        var request = input
        request.moveReaderIndex(to: start)
        let bytes = request.readableBytesView.drop { $0 == 0x0d || $0 == 0x0a }
        return bytes.starts(with: "HEAD ".utf8) ? "HEAD" : "GET"
    }

    func answerHere(
        _ refusal: Refusal, _ head: RequestHead, _ framing: BodyFraming, path: String,
        level: AccessLevel = .info
    ) {
        var record = makeRecord(head.method, path: path)
        record.level = level
        guard framing == .none, head.allowsKeepAlive, !isLeaving else {
            refuse(refusal, method: head.method, record: record)
            return
        }
        output?.answer(refusal, closing: false, method: head.method, record: record, now: eventLoop.now)
        waitForNext()
    }

    /// Answers and closes.
    func refuse(_ refusal: Refusal, method: String, record: RequestRecord?) {
        output?.answer(refusal, closing: true, method: method, record: record, now: eventLoop.now)
        linger()
    }

    func waitForNext() {
        phase = .awaitingHead
        hasServed = true
        http = nil
        waitingSince = eventLoop.now
        watch(until: headDeadline)
    }

    /// The answer came before the end of its request: the rest is dropped, and the next one waited for.
    func takeRest() {
        phase = .takingRest
        waitingSince = eventLoop.now
        watch(until: waitingSince + core.limits.headTimeout)
    }
}
