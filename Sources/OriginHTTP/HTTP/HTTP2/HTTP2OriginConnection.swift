import DequeModule
import HTTPMessage
import HostSystem
import NIOCore
import NIOHPACK
import NIOHTTP2

/// A connection to an HTTP/2 server, above the handler that makes frames of its bytes: carries many exchanges at a time.
final class HTTP2OriginConnection: ChannelDuplexHandler, PooledConnection {
    typealias InboundIn = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    struct Place {
        let pool: OriginPool
        let id: OriginPool.ConnectionID
    }

    /// What all answers together may have under way, in bytes: each has a window of its own, and none waits for another.
    private static let sharedWindow = 16 << 20
    /// What the windows of all answers may have grown by, in bytes.
    private static let mostGrowth = 8 << 20
    /// Beyond it there are too few numbers for streams.
    private static let lastID = 1 << 30

    let origin: String
    private let scheme: String
    let eventLoop: any EventLoop
    let wire: HTTP2Wire
    let watch: HTTP2FrameWatch
    var context: ChannelHandlerContext?
    /// In the pool, from the end of the attempt until it is closed.
    var place: Place?
    var whenReady: ((Result<Void, any Error>) -> Void)?
    var patience: Scheduled<Void>?
    /// Why nothing more goes over it, once that is so.
    var end: OriginError?
    /// Whether it takes no more exchanges; those under way go on.
    var isLeaving = false
    var peer = HTTP2PeerSettings()
    var streams: [HTTP2StreamID: HTTP2OriginStream] = [:]
    private var nextID = 1
    var hasServed = false
    /// What the origin takes on all streams together.
    var sendWindow = HTTP2AnswerWindow.initial
    /// What it may send on all of them.
    var offered = HTTP2AnswerWindow.initial
    private var growth = 0
    /// Streams that have something to send, in turn.
    private var line = Deque<HTTP2OriginStream>()
    private var isSending = false
    /// Streams for which something came.
    var touchedStreams: [HTTP2OriginStream] = []
    /// Whether more may come in this turn of the event loop: what came is delivered behind it.
    var isReading = false
    var deliveryIsScheduled = false
    var pulse: HTTP2Pulse
    var alarm: Scheduled<Void>?
    var nuisance: HTTP2Nuisance
    var frames = 0
    var received = 0
    var useful = 0
    lazy var turns = LoopTurns.of(eventLoop)
    var isInLine = false
    var readIsHeld = false

    private init(
        to address: OriginAddress, options: HTTPOriginOptions, on eventLoop: any EventLoop, wire: HTTP2Wire,
        watch: HTTP2FrameWatch
    ) {
        origin = address.place
        scheme = address.scheme
        self.eventLoop = eventLoop
        self.wire = wire
        self.watch = watch
        let now = eventLoop.now
        pulse = HTTP2Pulse(
            quiet: TimeAmount(options.pingQuiet), patience: TimeAmount(options.pingPatience), now: now)
        nuisance = HTTP2Nuisance(now: now)
        patience = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(options.connectTimeout)) {
            self.broke(OriginError(.timedOut, "\(self.origin) did not begin to speak HTTP/2 in time"))
        }
    }

    /// Has a connection speak HTTP/2 from its first byte on, by handlers at the end of its pipeline.
    static func add(
        to pipeline: ChannelPipeline.SynchronousOperations, address: OriginAddress,
        options: HTTPOriginOptions, on eventLoop: any EventLoop
    ) throws -> HTTP2OriginConnection {
        let (wire, watch) = (HTTP2Wire(), HTTP2FrameWatch())
        let connection = HTTP2OriginConnection(
            to: address, options: options, on: eventLoop, wire: wire, watch: watch)
        // In their order: each may write as soon as it is there.
        try pipeline.addHandler(wire)
        try pipeline.addHandler(HTTP2OriginSettings.makeHandler(watch: watch))
        try pipeline.addHandler(connection)
        return connection
    }

    // MARK: What the pool does

    var capacity: Int { peer.capacity }

    /// The origin has told of itself: nobody knows before how many exchanges it takes, nor whether it speaks HTTP/2 at all.
    func whenReady(_ completion: @escaping (Result<Void, any Error>) -> Void) {
        if let end { return completion(.failure(end)) }
        if peer.areKnown, capacity > 0 { return completion(.success(())) }
        whenReady = completion
    }

    func joined(_ pool: OriginPool, as id: OriginPool.ConnectionID) { place = Place(pool: pool, id: id) }

    func makeChannel() -> any OriginChannel { HTTP2OriginStream(on: self) }

    func close() { context?.close(promise: nil) }

    // MARK: Exchanges

    func begin(_ request: OutgoingRequest, on stream: HTTP2OriginStream) {
        guard end == nil, !isLeaving, let context else { return stream.fail(.refused) }
        let key = request.upgrade.isEmpty ? nil : request.webSocketKey
        guard request.upgrade.isEmpty || key != nil && peer.takesWebSockets else {
            return stream.fail(.needsHTTP1)
        }
        let headers: HPACKHeaders
        do throws(OriginError) {
            headers = try HTTP2RequestHead.fields(
                of: request, scheme: scheme, isWebSocket: key != nil, limits: peer.head)
        } catch {
            return stream.fail(.failed(error, isUntouched: false))
        }
        let id = HTTP2StreamID(nextID)
        nextID += 2
        stream.id = id
        stream.reader = HTTP2AnswerReader(method: request.method, webSocketKey: key)
        stream.queue = HTTP2SendQueue(window: peer.initialWindow)
        let isWhole = key == nil && RequestBody(request.framing).isWhole
        if isWhole { stream.queue.drop() }
        if streams.isEmpty { pulse.began(now: eventLoop.now) }
        streams[id] = stream
        write(.headers(.init(headers: headers, endStream: isWhole)), id, context)
        watchPulse()
        if nextID > Self.lastID { takeNoMore() }
    }

    func trailers(_ fields: HeaderFields) throws(OriginError) -> HPACKHeaders {
        try HTTP2RequestHead.trailers(fields, limits: peer.head)
    }

    func hasToSend(_ stream: HTTP2OriginStream) {
        lineUp(stream)
        send()
    }

    /// What is left of its request cannot be sent.
    func callOff(_ stream: HTTP2OriginStream, _ error: OriginError) {
        stream.fail(.failed(error, isUntouched: false))
        if let id = stream.id, let context, streams[id] === stream { write(.rstStream(.cancel), id, context) }
    }

    /// Nobody wants it any more.
    ///
    /// - Parameter isWhole: nothing of it goes out that the origin waits for.
    func finished(_ stream: HTTP2OriginStream, isWhole: Bool) {
        guard let id = stream.id else { return release() }
        guard streams.removeValue(forKey: id) != nil else { return }
        growth -= stream.window.growth
        hasServed = true
        guard !isWhole, end == nil, let context else { return release() }
        write(.rstStream(.cancel), id, context)
        guard !stream.isOverAtOrigin else { return release() }
        let (holdsPlace, asks) = pulse.cancels(now: eventLoop.now)
        if asks { ask(context) }
        if !holdsPlace { release() }
    }

    /// There is room for another exchange.
    func release() {
        guard let place else { return }
        place.pool.exchangeEnded(on: place.id, isReusable: true)
    }

    func takeNoMore() {
        guard !isLeaving else { return }
        isLeaving = true
        if let place { place.pool.takesNoMore(place.id) }
    }

    // MARK: Writing

    func write(
        _ payload: HTTP2Frame.FramePayload, _ id: HTTP2StreamID, _ context: ChannelHandlerContext
    ) {
        // At once through the handler below: it would keep data that waits for a flush, and drop it for a reset.
        context.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
        nuisance.sentFrame()
    }

    func lineUp(_ stream: HTTP2OriginStream) {
        guard !stream.isInLine, stream.id != nil, stream.queue.isReady else { return }
        stream.isInLine = true
        line.append(stream)
    }

    /// Sends what waits, a piece of each stream in turn, as far as the origin and the connection take it.
    func send() {
        guard !isSending, end == nil else { return }
        isSending = true
        var blocked = 0
        while blocked < line.count, let context, context.channel.isWritable, let stream = line.popFirst() {
            stream.isInLine = false
            guard let id = stream.id, streams[id] === stream else { continue }
            let piece = stream.queue.next(sendWindow)
            lineUp(stream)
            switch piece {
            case .bytes(let bytes, let isLast):
                sendWindow -= bytes.readableBytes
                write(.data(.init(data: .byteBuffer(bytes), endStream: isLast)), id, context)
            case .trailers(let headers):
                write(.headers(.init(headers: headers, endStream: true)), id, context)
            case nil:
                blocked += 1
                continue
            }
            blocked = 0
            stream.wrote()
        }
        isSending = false
    }

    // MARK: Windows

    /// The origin may send more, as far as what it sent was taken.
    func openWindow(of stream: HTTP2OriginStream) {
        guard let id = stream.id, !stream.isOverAtOrigin, streams[id] === stream, let context else { return }
        let bytes = stream.window.opening { more in
            guard growth + more <= Self.mostGrowth else { return false }
            growth += more
            return true
        }
        if bytes > 0 { write(.windowUpdate(windowSizeIncrement: bytes), id, context) }
    }

    func openWindow() {
        guard end == nil, peer.areKnown, offered < Self.sharedWindow / 2, let context else { return }
        write(.windowUpdate(windowSizeIncrement: Self.sharedWindow - offered), .rootStream, context)
    }

    // MARK: Pipeline

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }
}
