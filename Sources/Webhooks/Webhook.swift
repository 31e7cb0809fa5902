package import AgentStatus
import HostSystem
package import Logging
package import NIOCore
package import Observability
import OriginHTTP
import TunnelConfiguration

/// Tells one web server of events, each by a signed POST, one after another. It reads them at its own pace: a slow one holds up
/// nobody.
package final class Webhook: Sendable {
    private struct State: Sendable {
        var prepared: PreparedWebhook
        var queue: WebhookQueue
        /// Events up to this one are in the queue, or were none of its kinds.
        var place: UInt64
        /// Whether it ends when the queue is empty.
        var isEnding = false
        var hasEnded = false
        /// Counts up when somebody changes it from outside.
        var orders = 0
        var complaint = RepeatedWarning()
        /// What is wrong, while it is.
        var fault: FaultSnapshot?
        /// Failures in a row.
        var failuresInARow = 0
        /// Whether the log was told of this one.
        var isTold = false
        var lastDeliveredAt: Int?
    }

    /// How long nothing happens before it looks whether it has missed something.
    private static let patience: Duration = .seconds(3600)
    /// Of an answer's body, which nobody looks at: with more of it the connection is not used again.
    private static let mostAnswerBytes = 16_384

    private let feed: Feed<AgentEvent>
    private let eventLoop: any EventLoop
    private let software: String
    private let logger: Logger
    private let state: Monitor<State>

    /// - Parameters:
    ///   - place: it is told of what happens behind that one.
    ///   - software: program and version.
    package init(
        _ prepared: PreparedWebhook, feed: Feed<AgentEvent>, after place: UInt64, on eventLoop: any EventLoop,
        software: String, logger: Logger
    ) {
        self.feed = feed
        self.eventLoop = eventLoop
        self.software = software
        var logger = logger
        logger[.webhookName] = "\(prepared.configuration.name)"
        self.logger = logger
        state = Monitor(
            State(prepared: prepared, queue: WebhookQueue(prepared.configuration.limits), place: place))
    }

    // MARK: What it is told to do

    /// Other settings are in force from the next try on.
    package func apply(_ prepared: PreparedWebhook) {
        let old = state.change { state in
            defer {
                state.prepared = prepared
                state.queue.limits = prepared.configuration.limits
                state.queue.retryNow()
                state.orders += 1
            }
            return state.prepared
        }
        old.origin.retire()
    }

    /// What waits is tried once more, and then it ends.
    package func end() {
        state.change { state in
            state.isEnding = true
            state.queue.hurry()
            state.orders += 1
        }
    }

    /// Waits until it has ended, after `end`; returns too when the task is cancelled.
    package func untilEnded() async { await state.wait { $0.hasEnded ? () : nil } as Void? }

    // MARK: Its life

    /// Tells of events until `end`, or until the task is cancelled.
    package func run() async {
        var random = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let (step, prepared, orders) = state.change { state in
                takeNews(&state)
                return (state.queue.next(now: .now), state.prepared, state.orders)
            }
            switch step {
            case .send(let event):
                let request = WebhookRequest(
                    event, to: prepared.configuration, now: UnixTime.now, software: software)
                let timeout = prepared.configuration.timeout
                let outcome = await OwnPost.send(
                    request.head, request.body, to: prepared.origin, within: timeout,
                    mostRead: Self.mostAnswerBytes, on: eventLoop)
                note(WebhookOutcome(outcome, timeout: timeout), using: &random)
            case .wait(let time): await waitForNews(beyond: orders, within: time)
            case .idle:
                if state.read({ $0.isEnding }) { return finish() }
                await waitForNews(beyond: orders, within: Self.patience)
            }
        }
        finish()
    }

    private func finish() {
        let (origin, lost) = state.change { state in
            let before = state.queue.deadLetters
            state.queue.giveUpAll()
            state.hasEnded = true
            return (state.prepared.origin, state.queue.deadLetters - before)
        }
        origin.retire()
        guard lost > 0 else { return }
        logger.warning(
            "Webhook ended: events were not delivered", metadata: [.deadLetters: .stringConvertible(lost)])
    }

    private func takeNews(_ state: inout State) {
        let batch = feed.read(after: state.place)
        guard state.place != batch.last else { return }
        let kinds = state.prepared.configuration.kinds
        state.place = batch.last
        state.queue.missed(batch.missed)
        state.queue.take(batch.elements.filter { kinds.isEmpty || kinds.contains($0.kind) }, now: .now)
    }

    /// Waits for an event, an order, or so long.
    private func waitForNews(beyond orders: Int, within time: Duration) async {
        let place = state.read { $0.place }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await self.feed.next(after: place, most: 1, within: time) }
            group.addTask { await self.state.wait { $0.orders > orders ? () : nil } as Void? }
            await group.next()
            group.cancelAll()
        }
    }

    private func note(_ outcome: WebhookOutcome, using random: inout SystemRandomNumberGenerator) {
        switch outcome {
        case .delivered:
            let wasTold = state.change { state in
                defer {
                    (state.fault, state.failuresInARow, state.isTold) = (nil, 0, false)
                    state.lastDeliveredAt = UnixTime.now
                }
                state.queue.succeeded()
                return state.isTold
            }
            if wasTold { logger.notice("Webhook works again", metadata: [:]) }
        case .failed(let failure, let code, let message):
            var generator = random
            let told = state.change { state -> (times: Int, deadLetters: UInt64)? in
                state.queue.failed(failure, now: .now, using: &generator)
                state.failuresInARow += 1
                state.fault = FaultSnapshot(
                    code: code, message: message, at: UnixTime.now, count: state.failuresInARow,
                    since: state.fault?.since ?? UnixTime.now)
                guard let times = state.complaint.happened() else { return nil }
                state.isTold = true
                return (times, state.queue.deadLetters)
            }
            random = generator
            guard let told else { return }
            logger.warning(
                "Webhook failed",
                metadata: [
                    .errorCode: .code(code), .errorMessage: "\(message)",
                    .times: .stringConvertible(told.times),
                    .deadLetters: .stringConvertible(told.deadLetters),
                ])
        }
    }

    // MARK: Watching

    /// What there is to tell; also what metrics count.
    package var snapshot: WebhookSnapshot {
        state.read { state in
            WebhookSnapshot(
                name: state.prepared.configuration.name, address: state.prepared.configuration.url.shown,
                waiting: state.queue.count, delivered: state.queue.delivered, failures: state.queue.failures,
                deadLetters: state.queue.deadLetters, lastDeliveredAt: state.lastDeliveredAt,
                fault: state.fault)
        }
    }
}

extension WebhookConfiguration {
    fileprivate var limits: WebhookQueue.Limits { .init(tries: mostTries, age: longestAge) }
}
