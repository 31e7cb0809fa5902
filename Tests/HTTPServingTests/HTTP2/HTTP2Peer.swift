import HTTPMessage
import NIOCore
import NIOEmbedded
import NIOHPACK

@testable import HTTPServing

/// A caller that speaks HTTP/2, frame by frame, and the connection it calls on an embedded channel.
final class HTTP2Peer {
    /// A frame from the server.
    struct Frame: CustomStringConvertible {
        let type: UInt8
        let flags: UInt8
        let stream: Int
        let payload: [UInt8]
        var fields: [String: String] = [:]

        /// Of RST_STREAM and GOAWAY.
        var code: Int { payload.suffix(4).reduce(0) { $0 << 8 | Int($1) } }
        /// Of GOAWAY.
        var last: Int { payload.prefix(4).reduce(0) { $0 << 8 | Int($1) } }
        /// As `HEADERS 1 200 .`, with `.` behind the last of a stream.
        var description: String {
            let end = flags & 1 == 1 && type < 2 ? " ." : ""
            return switch type {
            case 0: "DATA \(stream) \(String(decoding: payload, as: UTF8.self))\(end)"
            case 1: "HEADERS \(stream) \(fields[":status"] ?? fields.map { "\($0)=\($1)" }.joined())\(end)"
            case 3: "RESET \(stream) \(code)"
            case 4: flags & 1 == 1 ? "ACK" : "SETTINGS"
            case 6: flags & 1 == 1 ? "PONG" : "PING"
            case 7: "GOAWAY \(last) \(code)"
            case 8: "WINDOW \(stream) \(last)"
            default: "\(type)"
            }
        }
    }

    static let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    static let settings = frame(4, 0, 0, [])
    let loop: EmbeddedEventLoop
    let channel: EmbeddedChannel
    private let wire = Wire()
    private var input = ByteBuffer()
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())

    /// Connects, as HTTP/1 would, and says that it speaks HTTP/2.
    init(
        _ reception: any RequestReception, on loop: EmbeddedEventLoop = EmbeddedEventLoop(),
        limits: ConnectionLimits = ConnectionLimits(), settings: [UInt8] = settings
    ) throws {
        self.loop = loop
        let handler = CallerHandler(
            on: loop, limits: limits, date: DateStamp(), budget: nil, reception: reception)
        channel = EmbeddedChannel(handlers: [wire, handler], loop: loop)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        send(Array(Self.preface.utf8) + settings)
    }

    var connection: HTTP2CallerHandler {
        get throws { try channel.pipeline.syncOperations.handler(type: HTTP2CallerHandler.self) }
    }

    var isOpen: Bool { channel.isActive && !wire.isOutputClosed }

    // MARK: What it sends

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) -> [UInt8] {
        number(payload.count, 3) + [type, flags] + number(stream, 4) + payload
    }

    static func number(_ value: Int, _ bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(truncatingIfNeeded: value >> ((bytes - 1 - $0) * 8)) }
    }

    /// HEADERS with literals alone.
    static func head(_ stream: Int, _ fields: [(String, String)], isLast: Bool = true) -> [UInt8] {
        let block = fields.flatMap { [0, UInt8($0.utf8.count)] + $0.utf8 + [UInt8($1.utf8.count)] + $1.utf8 }
        return frame(1, isLast ? 5 : 4, stream, block)
    }

    static func request(
        _ stream: Int, _ method: String = "GET", _ path: String = "/", _ more: [(String, String)] = [],
        isLast: Bool = true
    ) -> [UInt8] {
        head(
            stream,
            [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)] + more,
            isLast: isLast)
    }

    static func data(_ stream: Int, _ text: String, isLast: Bool = false) -> [UInt8] {
        frame(0, isLast ? 1 : 0, stream, Array(text.utf8))
    }

    static func reset(_ stream: Int) -> [UInt8] { frame(3, 0, stream, number(8, 4)) }
    static func window(_ stream: Int, _ bytes: Int) -> [UInt8] { frame(8, 0, stream, number(bytes, 4)) }
    static func settings(window: Int) -> [UInt8] { frame(4, 0, 0, [0, 4] + number(window, 4)) }

    func send(_ bytes: [UInt8]...) {
        guard channel.isActive else { return }
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes.joined()))
        channel.pipeline.fireChannelReadComplete()
        loop.run()
    }

    func setReading(_ isReading: Bool) {
        wire.isHeld = !isReading
        channel.isWritable = isReading
        if isReading { channel.pipeline.flush() }
        channel.pipeline.fireChannelWritabilityChanged()
        loop.run()
    }

    // MARK: What it gets

    /// Frames that came since, without those of settings and windows.
    func received() throws -> [Frame] { try all().filter { ![4, 8].contains($0.type) } }

    func texts() throws -> [String] { try received().map(\.description) }

    func all() throws -> [Frame] {
        loop.run()
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { input.writeImmutableBuffer(bytes) }
        var frames: [Frame] = []
        while let head = input.getBytes(at: input.readerIndex, length: 9) {
            let count = head[..<3].reduce(0) { $0 << 8 | Int($1) }
            guard input.readableBytes >= 9 + count else { break }
            input.moveReaderIndex(forwardBy: 9)
            let payload = input.readBytes(length: count) ?? []
            var frame = Frame(
                type: head[3], flags: head[4], stream: head[5...].reduce(0) { $0 << 8 | Int($1) },
                payload: payload)
            if frame.type == 1 {
                var block = ByteBuffer(bytes: payload)
                for field in try decoder.decodeHeaders(from: &block) {
                    frame.fields[field.name] = field.value
                }
            }
            frames.append(frame)
        }
        return frames
    }

    /// The network below.
    private final class Wire: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private(set) var isOutputClosed = false
        var isHeld = false

        func flush(context: ChannelHandlerContext) { if !isHeld { context.flush() } }

        /// An embedded channel cannot close one direction.
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            guard case .output = mode else { return context.close(mode: mode, promise: promise) }
            context.flush()
            isOutputClosed = true
            promise?.succeed()
        }
    }
}

/// Whom the test's connections are for: notes what is asked, and answers when the test says so.
final class ScriptedReception: RequestReception {
    let stall = TimeAmount.seconds(60)
    var isStopping = false
    var keepsNoConnections = false
    var welcome = Welcome.stays
    var takesBytes = true
    private(set) var log: [String] = []
    private(set) var exchanges: [ScriptedExchange] = []

    func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome {
        log.append("welcome")
        return welcome
    }

    func left(_ connection: any CallerConnection) { log.append("left") }

    func receive(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        log.append("\(head.method) \(head.target)")
        if head.target == "/here" { return .answer(OwnAnswer(200, line: "here"), closes: false) }
        if head.target == "/leave" { return .upgrade { _, _ in } }
        let exchange = ScriptedExchange(head, framing, stream, takesBytes: takesBytes)
        exchanges.append(exchange)
        return .exchange(exchange)
    }

    func refuse(_ fault: RequestFault) -> OwnAnswer {
        log.append("refused")
        return OwnAnswer(400, line: "no")
    }
}

/// One request; its answer is the test's.
final class ScriptedExchange: ServedExchange {
    let head: RequestHead
    let framing: BodyFraming
    let stream: any CallerStream
    var takesBytes: Bool
    private(set) var body = ""
    private(set) var log: [String] = []

    init(_ head: RequestHead, _ framing: BodyFraming, _ stream: any CallerStream, takesBytes: Bool) {
        (self.head, self.framing, self.stream, self.takesBytes) = (head, framing, stream, takesBytes)
    }

    func begin(_ status: Int = 200, _ fields: KeyValuePairs<FieldName, String> = [:]) throws {
        var head = ResponseHead(status: status, fields: HeaderFields(fields))
        let length = try AnswerLength(settling: &head, toMethod: self.head.method, isLast: false)
        stream.send(head, length, isLast: false)
    }

    func send(_ text: String, isLast: Bool = false) {
        stream.send(ByteBuffer(string: text), isLast: isLast)
        if isLast { stream.exchangeEnded() }
    }

    func start() {}
    func callerSent(_ bytes: ByteBuffer) { body += String(buffer: bytes) }
    func callerEndedRequest(trailers: HeaderFields?) {
        log.append(trailers.map { "end \($0.pairs.map { "\($0.name)=\($0.value)" }.joined())" } ?? "end")
    }
    func callerEndedRaw() { log.append("raw end") }
    func callerBrokeRules(_ error: HTTPMessageError) {
        log.append("broke")
        stream.send(OwnAnswer(400, line: "no"), closes: true)
        stream.exchangeEnded()
    }
    func callerLeft() { log.append("left") }
    func callerBecameWritable() { log.append("writable") }
    func answerIsOut(missing: Int) { log.append("out \(missing)") }
    func serverStops() { log.append("stops") }
    func cutShort() {
        log.append("cut")
        stream.exchangeBroke(isWhole: false)
    }
    func checkTime() { log.append("time") }
}
