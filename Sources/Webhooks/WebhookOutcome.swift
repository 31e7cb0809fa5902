import AgentStatus
import OriginHTTP

/// What became of one try to tell a webhook of an event.
enum WebhookOutcome: Sendable, Equatable {
    case delivered
    /// - Parameter message: what happened, in words; no secret.
    case failed(WebhookQueue.Failure, ErrorCode, message: String)

    /// Of an answer: 2xx that it has the event; 408, 425, 429 and 5xx that it may have it later; all else that it never will.
    ///
    /// - Parameter timeout: of the try.
    init(_ outcome: OwnPost.Outcome, timeout: Duration) {
        switch outcome {
        case .answered(200..<300, _): self = .delivered
        case .answered(let status, _) where status == 101 || (300..<400).contains(status):
            self = .failed(
                .init(isFinal: true), .rejected,
                message: "it answered \(status): redirects are not followed, give the URL they lead to")
        case .answered(let status, let retryAfter) where [408, 425, 429].contains(status) || status >= 500:
            self = .failed(.init(retryAfter: retryAfter), .rejected, message: "it answered \(status)")
        case .answered(let status, _):
            self = .failed(.init(isFinal: true), .rejected, message: "it answered \(status)")
        case .timedOut:
            let milliseconds = Int(timeout / .milliseconds(1))
            self = .failed(.init(), .timedOut, message: "no answer in \(milliseconds) ms")
        case .calledOff: self = .failed(.init(), .stopping, message: "the agent is stopping")
        case .failed(let error): self = .failed(.init(), error.errorCode, message: error.message)
        }
    }
}
