import AgentStatus
import HTTPMessage
import HostSystem
import Logging
import NIOCore
import Observability
import Reconciliation
import TunnelConfiguration

/// Brings spans to a collector (OTLP/HTTP, JSON): what came of requests, in batches, one after another. What it cannot bring
/// waits, in a ring that drops the oldest; requests never do.
@AgentActor final class SpanExporter: AgentService {
    /// Requests of a batch: of four spans each that is what collectors take by default.
    private static let batch: UInt64 = 128
    /// How long a span waits for others at most.
    private static let patience: Duration = .seconds(1)
    private static let timeout: Duration = .seconds(10)
    private static let longestWait: Duration = .seconds(60)
    /// The longest that a collector is left alone because it asks for that.
    private static let longestAsked: Duration = .seconds(300)
    /// For what is left at the end of the agent.
    private static let farewell: Duration = .milliseconds(700)

    private let means: AgentMeans
    private let logger: Logger
    private let tracing: Tracing
    private var target: PreparedTracing?
    private var ids: TraceIDs
    /// The latest request that was dealt with.
    private var position: UInt64 = 0
    private var failures = 0
    private var spans: UInt64 = 0
    private var dropped: UInt64 = 0
    private var fault: FaultSnapshot?
    private var warning = RepeatedWarning()

    init(_ means: AgentMeans, logger: Logger) {
        self.means = means
        self.logger = logger
        tracing = means.log.tracing
        var random = SystemRandomNumberGenerator()
        ids = TraceIDs(using: &random)
    }

    func apply(_ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup) {
        guard plan.result.tracing != target?.configuration else { return }
        target?.destination.retire()
        target = preparation.tracing
        fault = nil
        failures = 0
        tracing.apply(target.map { TraceSampling($0.configuration) })
    }

    /// What there is to tell; nil where nothing is traced.
    var snapshot: TracingSnapshot? {
        guard let target else { return nil }
        return TracingSnapshot(
            collector: OriginTarget.web(target.configuration.collector).shown, spans: spans,
            limited: tracing.limited, dropped: dropped, fault: fault)
    }

    /// Brings what comes, until the task is cancelled; then what is left, as far as that takes no time.
    func run() async {
        while !Task.isCancelled {
            let requests = tracing.requests
            guard target != nil else {
                // Nobody asks, and nothing comes.
                position = requests.last
                _ = await requests.next(after: position, most: 1, within: Self.longestWait)
                continue
            }
            _ = await requests.next(after: position + Self.batch - 1, most: 1, within: Self.patience)
            while !Task.isCancelled, target != nil, requests.last > position {
                guard let wait = await sendBatch(within: Self.timeout) else { continue }
                await rest(for: wait)
            }
        }
        // That one is cancelled, and breaks off whatever it waits for.
        await Task { await self.sendRest() }.value
    }

    /// Until then, or until another configuration holds.
    private func rest(for wait: Duration) async {
        let (end, before) = (ContinuousClock.now + wait, target?.configuration)
        while ContinuousClock.now < end, target?.configuration == before {
            let step = min(Self.patience, end - .now)
            guard (try? await Task.sleep(for: step)) != nil else { return }
        }
    }

    private func sendRest() async {
        let end = ContinuousClock.now + Self.farewell
        while target != nil, tracing.requests.last > position, ContinuousClock.now < end {
            guard await sendBatch(within: end - .now) == nil else { return }
        }
    }

    /// - Returns: how long to wait before it is tried again; nil when the batch is dealt with.
    private func sendBatch(within timeout: Duration) async -> Duration? {
        guard let target else { return nil }
        let batch = tracing.requests.read(after: position, most: Int(Self.batch))
        guard !batch.elements.isEmpty else { return nil }
        let traces = OTLPTraces(
            batch.elements, service: target.configuration.serviceName, software: means.software, ids: &ids)
        guard let body = await Self.encoded(traces) else {
            dropped += UInt64(batch.elements.count)
            passed(batch.last)
            return nil
        }
        var fields = target.fields
        fields.append(.contentLength, "\(body.readableBytes)")
        let outcome = await target.destination.post(body, fields, within: timeout)
        // Another may be asked meanwhile.
        guard self.target?.configuration == target.configuration else { return nil }
        switch outcome {
        case .answered(200..<300, _):
            spans += UInt64(traces.count)
            dropped += batch.missed
            passed(batch.last)
            if fault != nil { logger.notice("The collector takes spans again", metadata: [:]) }
            fault = nil
            return nil
        // Once more, as OTLP has it.
        case .answered(let status, let retryAfter) where [429, 502, 503, 504].contains(status):
            note(.rejected, "the collector answered \(status)")
            return wait(asked: retryAfter)
        case .answered(let status, _):
            note(.rejected, "the collector answered \(status): its spans are dropped")
            dropped += batch.missed + UInt64(batch.elements.count)
            passed(batch.last)
            return nil
        case .failed(.stopping, _): return .zero
        case .failed(let code, let message):
            note(code, message)
            return wait(asked: nil)
        }
    }

    private func passed(_ last: UInt64) {
        position = last
        failures = 0
    }

    private func wait(asked: Duration?) -> Duration {
        failures += 1
        let backoff = min(Self.longestWait, .seconds(1 << min(failures - 1, 6)))
        return max(backoff * Double.random(in: 0.8...1.2), min(asked ?? .zero, Self.longestAsked))
    }

    private func note(_ code: ErrorCode, _ message: String) {
        fault = FaultSnapshot(
            code: code, message: message, at: UnixTime.now, count: (fault?.count ?? 0) + 1,
            since: fault?.since ?? UnixTime.now)
        guard let times = warning.happened() else { return }
        logger.warning(
            "The collector takes no spans",
            metadata: [
                .errorCode: .code(code), .errorMessage: "\(message)", .times: .stringConvertible(times),
            ])
    }

    /// Takes milliseconds, off the actor.
    @concurrent private nonisolated static func encoded(_ traces: OTLPTraces) async -> ByteBuffer? {
        guard let bytes = try? JSONText.bytes(of: traces) else { return nil }
        return ByteBuffer(bytes: bytes)
    }
}

extension TraceSampling {
    fileprivate init(_ configuration: TracingConfiguration) {
        self.init(
            ratio: configuration.sample, callersMaySample: configuration.callersMaySample,
            spansPerSecond: configuration.spansPerSecond)
    }
}
