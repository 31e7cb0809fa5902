import DequeModule
import HTTPMessage
import NIOCore
import NIOHPACK
import NIOHTTP2

// What becomes of the streams of a connection.
extension HTTP2CallerHandler {
    // MARK: Requests

    /// A request's turn has come.
    func begin(_ head: HTTP2Frame.FramePayload.Headers, on stream: HTTP2CallerStream) {
        let fields = head.headers.lazy.map { (name: $0.name, value: $0.value) }
        do throws(HTTPMessageError) {
            let request = try HTTP2Request(
                fields, isLast: head.endStream, limits: limits.http, makeKey: Self.makeKey)
            stream.method = request.head.method
            stream.isWebSocket = request.isWebSocket
            stream.body = HTTP2RequestBody(
                request.framing, isLast: head.endStream, isRaw: request.isWebSocket)
            let outcome = reception.receive(request.head, request.framing, for: stream)
            if reception.keepsNoConnections { leave() }
            switch outcome {
            case .answer(let answer, let closes): answerHere(answer, on: stream, closes: closes)
            case .upgrade: answerHere(Self.noUpgrade, on: stream)
            case .exchange(let exchange):
                stream.exchange = exchange
                exchange.start()
            }
        } catch {
            stream.method = HTTP2Request.method(of: fields)
            stream.body = HTTP2RequestBody(.chunked, isLast: head.endStream, isRaw: false)
            let answer = reception.refuse(.malformed(error, nil))
            // What makes no sense is no request (RFC 9113 §8.1.1); what we do not serve is one.
            if error.code == .malformed {
                misbehaved(stream)
            } else {
                answerHere(answer, on: stream)
            }
        }
    }

    private static let noUpgrade = OwnAnswer(400, line: "A connection leaves HTTP over HTTP/1.1 alone")

    private static let keyAlphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Sixteen bytes in Base64 (RFC 6455 §4.1): the last character of them holds two bits.
    private static func makeKey() -> String {
        var characters = (0..<21).map { _ in keyAlphabet[Int.random(in: 0..<64)] }
        characters.append(keyAlphabet[Int.random(in: 0..<4) * 16])
        return String(decoding: characters, as: UTF8.self) + "=="
    }

    private func answerHere(_ answer: OwnAnswer, on stream: HTTP2CallerStream, closes: Bool = false) {
        stream.send(answer, closes: closes)
        settle(stream)
    }

    func dataCame(_ bytes: ByteBuffer, isLast: Bool, on stream: HTTP2CallerStream) {
        guard stream.exchange != nil else { return machine.window.taken(bytes.readableBytes) }
        do throws(HTTPMessageError) {
            try stream.body.check(bytes.readableBytes)
        } catch {
            machine.window.taken(bytes.readableBytes)
            return brokeRules(stream, error)
        }
        stream.window.came(bytes.readableBytes)
        stream.body.keep(bytes)
        if isLast {
            do throws(HTTPMessageError) {
                try stream.body.ended(trailers: nil)
            } catch {
                return brokeRules(stream, error)
            }
        }
        deliver(stream)
    }

    func trailersCame(_ head: HTTP2Frame.FramePayload.Headers, on stream: HTTP2CallerStream) {
        guard stream.exchange != nil else { return }
        do throws(HTTPMessageError) {
            let fields = head.headers.lazy.map { (name: $0.name, value: $0.value) }
            try stream.body.ended(trailers: try HTTP2Request.trailers(fields, limits: limits.http))
        } catch {
            return brokeRules(stream, error)
        }
        deliver(stream)
    }

    /// Its exchange gets what came for it, as far as it takes that.
    func deliver(_ stream: HTTP2CallerStream) {
        while let exchange = stream.exchange, stream.takesBytes, let part = stream.body.next() {
            switch part {
            case .bytes(let bytes):
                machine.window.taken(bytes.readableBytes)
                stream.window.taken(bytes.readableBytes)
                exchange.callerSent(bytes)
            case .end(let trailers):
                if stream.isRaw {
                    exchange.callerEndedRaw()
                } else {
                    exchange.callerEndedRequest(trailers: trailers)
                }
            }
        }
        openWindow()
        guard streams[stream.id] === stream, stream.exchange != nil else { return }
        stream.body.settle()
        guard !stream.hasEnded else { return }
        let opening = stream.window.opening { _ in true }
        if opening > 0 { openWindow(stream.id, by: opening) }
    }

    // MARK: Answers

    func write(_ headers: HPACKHeaders, isLast: Bool, on stream: HTTP2CallerStream) {
        guard let context, !machine.isOver, streams[stream.id] === stream else { return }
        let payload = HTTP2Frame.FramePayload.Headers(headers: headers, endStream: isLast)
        write(.headers(payload), on: stream, context)
        machine.nuisance.sentFrame()
    }

    private func write(
        _ payload: HTTP2Frame.FramePayload, on stream: HTTP2CallerStream, _ context: ChannelHandlerContext
    ) {
        // At once through the handler below: it would keep data that waits for a flush, and drop it for a reset.
        context.writeAndFlush(
            wrapOutboundOut(HTTP2Frame(streamID: stream.id, payload: payload)), promise: nil)
        stream.lastWritten = wire.written
    }

    /// - Parameter end: of the answer, behind the bytes.
    func send(_ bytes: ByteBuffer, end: HTTP2AnswerQueue.End?, on stream: HTTP2CallerStream) {
        guard streams[stream.id] === stream, context != nil else { return }
        let before = stream.answer.waiting
        stream.answer.append(bytes)
        if let end { stream.answer.finish(end) }
        machine.answersWait(stream.answer.waiting - before)
        lineUp(stream)
        send()
        if stream.answer.waiting > 0 { stream.answer.settle() }
    }

    func lineUp(_ stream: HTTP2CallerStream) {
        guard !stream.isInLine, stream.answer.isReady else { return }
        stream.isInLine = true
        line.append(stream)
    }

    /// Sends what waits, a piece of each stream in turn, as far as the caller and its connection take it.
    func send() {
        guard !isSending, !line.isEmpty, let context, !machine.isOver else { return }
        isSending = true
        var blocked = 0
        while blocked < line.count, wire.output?.isWritable == true, let stream = line.popFirst() {
            guard streams[stream.id] === stream else { continue }
            let before = stream.answer.waiting
            guard let piece = stream.answer.next(machine.sendWindow) else {
                stream.isInLine = stream.answer.isReady
                if stream.isInLine {
                    line.append(stream)
                    blocked += 1
                }
                continue
            }
            blocked = 0
            machine.answersWait(stream.answer.waiting - before)
            stream.isInLine = stream.answer.isReady
            if stream.isInLine { line.append(stream) }
            write(piece, on: stream, context)
        }
        isSending = false
    }

    private func write(
        _ piece: HTTP2AnswerQueue.Piece, on stream: HTTP2CallerStream, _ context: ChannelHandlerContext
    ) {
        switch piece {
        case .bytes(let bytes, let isLast):
            machine.sent(bytes.readableBytes)
            write(.data(.init(data: .byteBuffer(bytes), endStream: isLast)), on: stream, context)
        case .trailers(let headers):
            write(.headers(.init(headers: headers, endStream: true)), on: stream, context)
        // One whose trailers cannot be sent has its exchange still.
        case .broken where stream.exchange != nil:
            return leave(stream) { finish(stream, .internalError) }
        case .broken:
            return finish(stream, .internalError)
        }
        settle(stream)
        if stream.isHeldBack, stream.answer.isEmpty, takesMore(of: stream) { becameWritable(stream) }
    }

    /// The connection takes more.
    func goOn() {
        send()
        for stream in Array(streams.values) where stream.isHeldBack && takesMore(of: stream) {
            becameWritable(stream)
        }
    }

    private func becameWritable(_ stream: HTTP2CallerStream) {
        stream.isHeldBack = false
        stream.exchange?.callerBecameWritable()
    }

    func takesMore(of stream: HTTP2CallerStream) -> Bool {
        wire.output?.isWritable == true && context != nil
            && machine.takesMore(stream.answer.waiting, isShort: isMemoryShort)
    }

    func waitingOnWire(of stream: HTTP2CallerStream) -> Int {
        wire.part(upTo: stream.lastWritten, of: wire.output?.waiting ?? 0)
    }

    func undeliveredOnWire(of stream: HTTP2CallerStream) -> Int {
        wire.part(upTo: stream.lastWritten, of: wire.output?.undelivered ?? 0)
    }

    // MARK: Ends

    /// Nobody is at work for it any more: it is over once all of its answer has gone out.
    func settle(_ stream: HTTP2CallerStream) {
        guard stream.exchange == nil, streams[stream.id] === stream else { return }
        guard stream.answer.isOver else {
            stream.deadline = eventLoop.now + reception.stall
            return watch(until: stream.deadline)
        }
        machine.nuisance.wasAnswered()
        // What is left of the request nobody reads (RFC 9113 §8.1).
        finish(stream, stream.hasEnded ? nil : .noError)
    }

    /// It is over.
    ///
    /// - Parameter code: why, where frames have not said that it is.
    func finish(_ stream: HTTP2CallerStream, _ code: HTTP2ErrorCode?) {
        forget(stream)
        if let code, let context, !machine.isOver {
            if !stream.hasEnded { machine.nuisance.expects(stream.window.offered) }
            write(.rstStream(code), on: stream, context)
        }
        stream.broken?.answerIsOut(missing: 0)
        stream.broken = nil
        becameIdleIfSo()
    }

    /// It is over at once, whatever waits.
    func reset(_ stream: HTTP2CallerStream, _ code: HTTP2ErrorCode) {
        guard streams[stream.id] === stream else { return }
        machine.nuisance.wasCancelled(now: eventLoop.now)
        leave(stream) { finish(stream, code) }
    }

    /// The caller has called it off, or the handler below has, for what the caller did.
    func wasReset(_ stream: HTTP2CallerStream) { leave(stream) { finish(stream, nil) } }

    private func misbehaved(_ stream: HTTP2CallerStream) { reset(stream, .protocolError) }

    /// What comes of its body is no HTTP: its exchange ends itself, which nobody hears.
    private func brokeRules(_ stream: HTTP2CallerStream, _ error: HTTPMessageError) {
        let exchange = stream.exchange
        stream.exchange = nil
        misbehaved(stream)
        exchange?.callerBrokeRules(error)
        exchange?.answerIsOut(missing: 0)
    }

    /// Its exchange and what was under way are told that nothing more goes out.
    private func leave(_ stream: HTTP2CallerStream, _ finish: () -> Void) {
        let (exchange, broken, missing) = (stream.exchange, stream.broken, stream.waiting)
        stream.exchange = nil
        stream.broken = nil
        finish()
        broken?.answerIsOut(missing: missing)
        exchange?.callerLeft()
    }

    private func forget(_ stream: HTTP2CallerStream) {
        streams[stream.id] = nil
        headBytes -= stream.headBytes
        stream.headBytes = 0
        if stream.isInLine { line.removeAll { $0 === stream } }
        stream.isInLine = false
        machine.answersWait(-stream.answer.waiting)
        stream.answer.drop()
        machine.window.taken(stream.body.drop())
    }

    /// All are over.
    func forgetStreams() {
        for stream in Array(streams.values) { wasReset(stream) }
        line = []
    }

    private func becameIdleIfSo() {
        guard streams.isEmpty else { return }
        let now = eventLoop.now
        machine.becameIdle(now: now)
        // What its window may hold nobody else has, and it cannot be taken back otherwise.
        if hasBorrowed, isMemoryShort { leave() }
        checkTime()
    }
}
