import NIOCore
import NIOHTTP2

// What is delivered, and how a connection ends.
extension HTTP2OriginConnection {
    /// "HTTP"
    private static let http1 = 0x4854_5450 as UInt32

    // MARK: Delivery

    /// Something came for a stream, or its end.
    func touched(_ stream: HTTP2OriginStream) {
        guard !stream.isTouched else { return }
        stream.isTouched = true
        touchedStreams.append(stream)
        if !isReading { deliverSoon() }
    }

    /// Nobody is called while it does something else.
    private func deliverSoon() {
        guard !deliveryIsScheduled else { return }
        deliveryIsScheduled = true
        eventLoop.assumeIsolated().execute {
            self.deliveryIsScheduled = false
            self.deliverAll()
        }
    }

    /// Hands on what has come.
    func deliverAll() {
        isReading = false
        while !touchedStreams.isEmpty {
            let streams = touchedStreams
            touchedStreams = []
            for stream in streams {
                stream.isTouched = false
                stream.deliver()
            }
        }
    }

    // MARK: Ends

    /// The connection is gone.
    func lost() {
        guard end == nil else { return }
        if !peer.areKnown {
            let silent = OriginError(.closedEarly, "\(origin) closed the connection before it spoke HTTP/2")
            return broke(foreign ?? silent)
        }
        broke(OriginError(.closedEarly, "\(origin) closed the connection before the response was whole"))
    }

    /// What speaks there in the place of HTTP/2, where the first bytes tell.
    var foreign: OriginError? {
        if wire.opening == Self.http1 {
            return OriginError(
                .malformed,
                "\(origin) speaks HTTP/1 there, not HTTP/2 — write http:// before it, and no http: 2")
        }
        return OtherProtocol(wire.opening).map { OriginError(.malformed, "\(origin) \($0.explanation)") }
    }

    /// The connection is of no use.
    func broke(_ error: OriginError) {
        guard end == nil else { return }
        end = error
        patience?.cancel()
        alarm?.cancel()
        alarm = nil
        takeNoMore()
        let whenReady = whenReady
        self.whenReady = nil
        whenReady?(.failure(error))
        for (_, stream) in streams.sorted(by: { $0.key < $1.key }) {
            guard !stream.isOverAtOrigin || stream.reader.isUpgraded else {
                stream.queue.drop()
                continue
            }
            let isUntouched = hasServed && !stream.hasReceived && error.code == .closedEarly
            stream.fail(.failed(error, isUntouched: isUntouched))
        }
        context?.close(promise: nil)
        deliverSoon()
    }

    // MARK: Signs of life

    /// Looks at the time while exchanges are under way, or a question is.
    func watchPulse() {
        guard alarm == nil, end == nil else { return }
        switch pulse.due(now: eventLoop.now) {
        case .nothing(let deadline): setAlarm(deadline)
        case .ask: if let context { ask(context) }
        case .dead: broke(OriginError(.timedOut, "\(origin) answers nothing any more, not even PING"))
        }
    }

    /// Asks whether the origin is there.
    func ask(_ context: ChannelHandlerContext) {
        write(.ping(HTTP2PingData(), ack: false), .rootStream, context)
        alarm?.cancel()
        alarm = nil
        watchPulse()
    }

    private func setAlarm(_ deadline: NIODeadline) {
        alarm = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.alarm = nil
            if !self.streams.isEmpty || self.pulse.isAsking { self.watchPulse() }
        }
    }
}
