import HTTPMessage
import HostSystem
import NIOCore
import NIOHPACK
import NIOHTTP2

// What comes from the origin.
extension HTTP2OriginConnection: TurnTaker {
    /// What a frame is in bytes beside its payload.
    private static let frameHead = 9
    /// What a field takes at most beside its text, in bytes.
    private static let perField = 16
    /// From which on the opening of a window is of use, in bytes: there are no two gigabytes of those.
    private static let usefulOpening = 1024
    /// Frames of one read that are free; more cost a turn of the event loop.
    private static let freeFrames = 64
    /// What one of them is in units of `LoopTurns`.
    private static let frameWork = 32

    func read(context: ChannelHandlerContext) {
        if isInLine { readIsHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        frames += 1
        isReading = true
        guard end == nil else { return }
        switch frame.payload {
        case .headers(let payload): headersCame(payload, frame.streamID)
        case .data(let payload): dataCame(payload, frame.streamID)
        case .rstStream(let code): resetCame(code, frame.streamID)
        case .settings(.settings(let settings)): settingsCame(settings)
        case .goAway(let last, let code, _): goAwayCame(last, code)
        case .windowUpdate(let bytes): windowOpened(bytes, frame.streamID)
        case .ping(_, ack: true):
            useful += Self.frameHead + 8
            for _ in 0..<pulse.wasAnswered(now: eventLoop.now) { release() }
        default: break
        }
    }

    private func headersCame(_ payload: HTTP2Frame.FramePayload.Headers, _ id: HTTP2StreamID) {
        useful += Self.frameHead
        for (name, value, _) in payload.headers {
            useful += name.utf8.count + value.utf8.count + Self.perField
        }
        guard let stream = streams[id], !stream.isOverAtOrigin else { return }
        let fields = payload.headers.lazy.map { (name: $0.name, value: $0.value) }
        do throws(HTTPMessageError) {
            switch try stream.reader.headers(fields, isLast: payload.endStream) {
            case .head(let head, let framing):
                stream.take(.head(head, framing))
                if payload.endStream { ended(stream, trailers: nil) }
            case .trailers(let trailers): ended(stream, trailers: trailers)
            }
            answerCame(stream)
        } catch {
            brokeRules(stream, error)
        }
    }

    private func dataCame(_ payload: HTTP2Frame.FramePayload.Data, _ id: HTTP2StreamID) {
        guard case .byteBuffer(let bytes) = payload.data else { return }
        if bytes.readableBytes > 0 || payload.endStream { useful += Self.frameHead + bytes.readableBytes }
        guard let stream = streams[id], !stream.isOverAtOrigin else { return }
        do throws(HTTPMessageError) {
            try stream.reader.data(bytes.readableBytes, isLast: payload.endStream)
            if bytes.readableBytes > 0 { stream.take(.bytes(bytes)) }
            if payload.endStream { ended(stream, trailers: nil) }
            if bytes.readableBytes > 0 || payload.endStream { answerCame(stream) }
        } catch {
            brokeRules(stream, error)
        }
    }

    private func answerCame(_ stream: HTTP2OriginStream) {
        pulse.answerCame(now: eventLoop.now)
        touched(stream)
    }

    private func ended(_ stream: HTTP2OriginStream, trailers: HeaderFields?) {
        stream.isOverAtOrigin = true
        stream.take(.end(trailers))
    }

    private func resetCame(_ code: HTTP2ErrorCode, _ id: HTTP2StreamID) {
        useful += Self.frameHead + 4
        guard let stream = streams[id] else { return }
        if stream.isOverAtOrigin, !stream.reader.isUpgraded {
            // It wants no more of the request, and the answer is whole (RFC 9113 §8.1).
            return stream.queue.drop()
        }
        switch code {
        case .refusedStream where !stream.hasReceived:
            takeNoMore()
            stream.fail(.refused)
        case .http11Required where !stream.hasReceived:
            stream.fail(.needsHTTP1)
        default:
            let error = OriginError(.closedEarly, "\(origin) broke the exchange off (\(code.words))")
            stream.fail(.failed(error, isUntouched: false))
        }
    }

    private func settingsCame(_ settings: [HTTP2Setting]) {
        let change = peer.update(settings)
        for stream in streams.values {
            stream.queue.window += change
            lineUp(stream)
        }
        if capacity == 0 {
            takeNoMore()
        } else {
            if let place { place.pool.capacityChanged(of: place.id, to: capacity) }
            becameReady()
        }
        send()
    }

    private func becameReady() {
        guard let whenReady, !isLeaving else { return }
        self.whenReady = nil
        patience?.cancel()
        openWindow()
        whenReady(.success(()))
    }

    /// What came behind the last stream was not looked at (RFC 9113 §6.8).
    private func goAwayCame(_ last: HTTP2StreamID, _ code: HTTP2ErrorCode) {
        takeNoMore()
        if place == nil {
            broke(OriginError(.closedEarly, "\(origin) takes no requests over HTTP/2 (\(code.words))"))
        }
        for (id, stream) in streams.sorted(by: { $0.key < $1.key }) where id > last {
            guard !stream.isOverAtOrigin else { continue }
            let error = OriginError(.closedEarly, "\(origin) broke the exchange off (\(code.words))")
            stream.fail(stream.hasReceived ? .failed(error, isUntouched: false) : .refused)
        }
    }

    private func windowOpened(_ bytes: Int, _ id: HTTP2StreamID) {
        if bytes >= Self.usefulOpening { useful += Self.frameHead + 4 }
        if id == .rootStream {
            sendWindow += bytes
        } else if let stream = streams[id] {
            stream.queue.window += bytes
            lineUp(stream)
        }
        send()
    }

    private func brokeRules(_ stream: HTTP2OriginStream, _ error: HTTPMessageError) {
        let words = "answer of \(origin) is not valid HTTP/2: \(error)"
        stream.fail(.failed(OriginError(.malformed, words), isUntouched: false))
        if let id = stream.id, let context { write(.rstStream(.protocolError), id, context) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let bytes = wire.received - received
        received = wire.received
        nuisance.received(bytes, useful: useful, now: eventLoop.now)
        useful = 0
        if nuisance.isTooMuch {
            broke(OriginError(.malformed, "\(origin) floods us with frames of HTTP/2 that ask for nothing"))
        }
        deliverAll()
        openWindow()
        let work = frames
        frames = 0
        if work > Self.freeFrames, !isInLine {
            isInLine = true
            turns.spend(work * Self.frameWork)
            turns.wait(self)
        }
        context.fireChannelReadComplete()
    }

    func haveTurn(_ share: Int) {
        isInLine = false
        guard readIsHeld else { return }
        readIsHeld = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { send() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as NIOHTTP2WindowUpdatedEvent:
            guard let window = event.inboundWindowSize else { break }
            if event.streamID == .rootStream {
                offered = window
            } else {
                streams[event.streamID]?.window.offered = window
            }
        case let event as StreamClosedEvent:
            // The handler below has found a fault; of those that end in order the frames tell.
            guard event.reason != nil, let stream = streams[event.streamID], !stream.isOverAtOrigin else {
                break
            }
            let error = OriginError(.malformed, "answer of \(origin) is not valid HTTP/2")
            stream.fail(.failed(error, isUntouched: false))
        case ChannelEvent.inputClosed: lost()
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if watch.hasGivenUp {
            let error = OriginError(
                .malformed, "\(origin) does not keep to HTTP/2: \(Self.words(for: error))")
            broke(peer.areKnown ? error : foreign ?? error)
        } else if !(error is any NIOHTTP2Error) || error is NIOHTTP2Errors.UnableToSerializeFrame {
            lost()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let place {
            self.place = nil
            place.pool.closed(place.id)
        }
        lost()
        context.fireChannelInactive()
    }

    private static func words(for error: any Error) -> String {
        switch error {
        case is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock: "header fields too large"
        case is NIOHTTP2Errors.ExcessiveContinuationFrames: "too many CONTINUATION frames"
        case is NIOHTTP2Errors.ExcessiveControlFrames, is NIOHTTP2Errors.ExcessiveRSTFrames,
            is NIOHTTP2Errors.ExcessiveOutboundFrameBuffering, is NIOHTTP2Errors.ExcessiveStreamErrors:
            "too many frames that ask for nothing"
        case is NIOHTTP2Errors.FlowControlViolation: "it sent more than its windows allow"
        default: "\(type(of: error))"
        }
    }
}
