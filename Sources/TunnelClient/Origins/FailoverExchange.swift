import HTTPMessage
import NIOCore
import OriginHTTP

/// A request to a group of origins, as it is written for the one that it goes to first.
struct GroupOrigin: Origin {
    let group: OriginGroup
    let first: Int
    /// How the first one's answer is made one for callers; nil where it may stay as it is.
    let view: PublicView?
    /// As it came out of the tunnel.
    let original: RequestHead
    let entrance: TunnelEntrance

    func begin(
        _ request: consuming RequestHead, framing: BodyFraming, host: String?, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) -> any OriginExchange {
        let exchange = FailoverExchange(self, framing: framing, on: eventLoop, receiver: receiver)
        let prepared = OriginRequest.Prepared(host: host, view: view)
        exchange.begin(OriginGroup.Attempt(index: first, request: request, prepared: prepared))
        return exchange
    }
}

/// An exchange that begins anew with the next origin where no connection to one can be made. Nothing of the request has left
/// then: it is never run twice.
final class FailoverExchange: OriginExchange, OriginResponseReceiver {
    private let origin: GroupOrigin
    private let framing: BodyFraming
    private let eventLoop: any EventLoop
    private var receiver: (any OriginResponseReceiver)?
    private var exchange: (any OriginExchange)?
    private var current: Int
    private var view: PublicView?
    private var tried = OriginHealth.Tried()
    /// What was sent of the body, as long as another origin may need it: what the sender sends before there is a connection
    /// is bounded by its window, as what the exchange itself keeps.
    private var kept: [ByteBuffer]? = []
    private var isWhole = false
    private var trailers: HeaderFields?
    private var isPaused = false
    private var senderAwaitsWritability = false
    private var hasAnswered = false

    init(
        _ origin: GroupOrigin, framing: BodyFraming, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) {
        self.origin = origin
        self.framing = framing
        self.eventLoop = eventLoop
        self.receiver = receiver
        current = origin.first
    }

    func begin(_ attempt: OriginGroup.Attempt) {
        current = attempt.index
        view = attempt.prepared.view
        tried.insert(attempt.index)
        exchange = origin.group.members[attempt.index].origin.begin(
            attempt.request, framing: framing, host: attempt.prepared.host, on: eventLoop, receiver: self)
    }

    // MARK: What the sender of the request does

    var isWritable: Bool {
        let isWritable = exchange?.isWritable ?? true
        if !isWritable { senderAwaitsWritability = true }
        return isWritable
    }

    var unsentBytes: Int { exchange?.unsentBytes ?? 0 }
    var hasBegun: Bool { exchange?.hasBegun ?? true }

    func send(_ bytes: ByteBuffer) {
        if kept != nil, exchange?.hasBegun == false {
            kept?.append(bytes)
        } else {
            kept = nil
        }
        exchange?.send(bytes)
    }

    func end(trailers: HeaderFields?) {
        isWhole = true
        self.trailers = trailers
        exchange?.end(trailers: trailers)
    }

    func cancel() {
        receiver = nil
        exchange?.cancel()
        exchange = nil
    }

    func pauseReading() {
        isPaused = true
        exchange?.pauseReading()
    }

    func resumeReading() {
        isPaused = false
        exchange?.resumeReading()
    }

    // MARK: What the origin says

    func originAnswered(_ head: consuming ResponseHead, framing: BodyFraming) {
        if !hasAnswered {
            hasAnswered = true
            kept = nil
            origin.group.connected(to: current)
        }
        view?.rewrite(&head)
        receiver?.originAnswered(head, framing: framing)
    }

    func originSent(_ bytes: ByteBuffer) { receiver?.originSent(bytes) }

    func originEnded(trailers: HeaderFields?) { receiver?.originEnded(trailers: trailers) }

    func originFailed(_ error: OriginError) {
        let isUnbegun = exchange?.hasBegun == false
        exchange = nil
        guard isUnbegun, error.isOfConnecting else { return fail(error) }
        if !error.isPassing { origin.group.cannotConnect(to: current, error) }
        let next = try? origin.group.attempt(
            origin.original, from: origin.entrance, besides: tried)
        guard let next, let kept else { return fail(error) }
        begin(next)
        if isPaused { exchange?.pauseReading() }
        for bytes in kept { exchange?.send(bytes) }
        if isWhole { exchange?.end(trailers: trailers) }
        if senderAwaitsWritability, exchange?.isWritable == true { originBecameWritable() }
    }

    func originBecameWritable() {
        senderAwaitsWritability = false
        receiver?.originBecameWritable()
    }

    private func fail(_ error: OriginError) {
        let receiver = receiver.take()
        receiver?.originFailed(error)
    }
}

extension OriginError {
    /// Whether another origin may do what this one could not: it was not reached. With no descriptor left here none can be.
    fileprivate var isOfConnecting: Bool {
        switch code {
        case .refused, .unreachable, .unresolvable, .timedOut, .tlsFailed, .closedEarly, .tooBusy: true
        case .malformed, .badRequest, .unsupported, .noDescriptors, .unreadable: false
        }
    }
}
