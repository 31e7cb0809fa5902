package import NIOCore
import NIOHTTP2

// How a connection ends.
extension HTTP2CallerHandler: CallerConnection {
    package func leave() {
        guard context != nil, machine.leave(now: eventLoop.now) else { return }
        wire.announceGoAway()
        // Its answer tells that the caller has heard.
        context?.writeAndFlush(
            wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: .ping(HTTP2PingData(), ack: false))),
            promise: nil)
        checkTime()
    }

    /// One that is new gets its first request.
    package func shed() { if reception.keepsNoConnections, machine.hasServed { leave() } }

    @discardableResult package func stop() -> EventLoopFuture<Void> {
        let arrival = eventLoop.makePromise(of: Void.self)
        arrivals.append(arrival)
        leave()
        machine.changeFarewell { $0.leave() }
        for stream in Array(streams.values) { stream.exchange?.serverStops() }
        tellArrival()
        return arrival.futureResult
    }

    package func cut() {
        guard context != nil else { return }
        machine.cut(now: eventLoop.now)
        refuseStreams()
        machine.changeFarewell { $0.hurry(until: eventLoop.now + limits.cutTime) }
        for stream in Array(streams.values) { stream.exchange?.cutShort() }
        checkTime()
    }

    /// Tells who waits for requests that they are here, or will not come.
    func tellArrival() {
        guard !arrivals.isEmpty, !machine.awaitsStreams else { return }
        let told = arrivals
        arrivals = []
        for arrival in told { arrival.succeed() }
    }

    /// No more streams are taken, as the caller is told; the last ones go on.
    func refuseStreams() {
        guard machine.refuseStreams() else { return }
        sayGoAway(.noError)
        tellArrival()
        checkTime()
    }

    private func sayGoAway(_ code: HTTP2ErrorCode) {
        let payload = HTTP2Frame.FramePayload.goAway(
            lastStreamID: machine.lastStream, errorCode: code, opaqueData: nil)
        watch.isOurs = true
        context?.writeAndFlush(
            wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: payload)), promise: nil)
        // Else it waits, and is written later.
        if wire.output?.isWritable == true { watch.isOurs = false }
    }

    /// The connection is of no use.
    ///
    /// - Parameter code: why; nil where the caller was told.
    func giveUp(_ code: HTTP2ErrorCode?) {
        guard !machine.isOver, context != nil else { return }
        forgetStreams()
        sayFarewell(code)
    }

    /// Nothing more is said: what was written goes out, then it ends. See `Farewell`.
    ///
    /// - Parameter code: what the caller is told, where it has not heard anything.
    func sayFarewell(_ code: HTTP2ErrorCode?) {
        guard context != nil, let output = wire.output, !machine.isOver else { return }
        if let code, machine.refuseStreams() || code != .noError { sayGoAway(code) }
        let patience = Farewell.Patience(
            stalled: reception.stall, silence: limits.lingerTimeout, lingering: limits.longestLingering)
        var farewell = Farewell(.linger, isDelimited: true, patience: patience, now: eventLoop.now)
        if reception.isStopping { farewell.leave() }
        machine.saysFarewell(farewell)
        wire.heard = { [weak self] in
            guard let self else { return }
            let now = self.eventLoop.now
            self.machine.changeFarewell { $0.heard(now: now) }
        }
        output.flushNow()
        guard output.borrowWhatWaits() else { return output.close() }
        output.closeOutput { [self] isSent in
            guard isSent, context != nil else { return }
            output.giveBack()
            machine.changeFarewell { $0.sent() }
            checkTime()
        }
        tellArrival()
        checkTime()
    }

    func goOnWithFarewell() {
        guard let output = wire.output else { return }
        let (undelivered, now) = (output.undelivered, eventLoop.now)
        var step: Farewell.Step?
        machine.changeFarewell { step = $0.next(undelivered: undelivered, now: now) }
        switch step {
        case .wait(let deadline): watch(until: deadline)
        case .close: output.close()
        case .reset: output.reset()
        case nil: break
        }
    }
}
