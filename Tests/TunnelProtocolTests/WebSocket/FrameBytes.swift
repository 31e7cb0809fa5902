import NIOCore
import TunnelProtocol

/// Builds a WebSocket frame byte by byte, as RFC 6455 §5.2 draws it, right or wrong.
struct FrameBytes {
    enum LengthForm: CaseIterable {
        case shortest, sixteenBits, sixtyFourBits
    }

    var isFinal = true
    var reserved: UInt8 = 0
    var opcode: UInt8
    var mask: [UInt8]?
    var lengthForm = LengthForm.shortest
    var payload: [UInt8] = []

    var bytes: [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        let length = payload.count
        switch lengthForm {
        case .shortest where length < 126:
            bytes.append(maskBit | UInt8(length))
        case .sixteenBits,
            .shortest where length <= 0xffff:
            bytes.append(maskBit | 126)
            bytes += [UInt8(length >> 8 & 0xff), UInt8(length & 0xff)]
        default:
            bytes.append(maskBit | 127)
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
        }
        guard let mask else { return bytes + payload }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }
}

/// What a reader of whole messages would see.
enum WebSocketReceived: Equatable {
    case message([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(UInt16)
}

/// Feeds a decoder and puts the pieces of its messages together.
struct WebSocketReader {
    private var decoder: WebSocketDecoder
    private var input = ByteBuffer()
    private var open: [UInt8] = []
    private(set) var received: [WebSocketReceived] = []
    /// Bytes of messages, whole or not.
    private(set) var messageBytes = 0
    /// Events that took no byte off the input: there must be none, or a reader would loop.
    private(set) var idleEvents = 0

    init(expectsMask: Bool, maximumMessageBytes: Int = 1 << 20) {
        decoder = WebSocketDecoder(expectsMask: expectsMask, maximumMessageBytes: maximumMessageBytes)
    }

    mutating func feed(_ bytes: some Sequence<UInt8>) throws(WebSocketError) {
        input.writeBytes(bytes)
        var before = input.readableBytes
        while let event = try decoder.next(&input) {
            if input.readableBytes == before { idleEvents += 1 }
            before = input.readableBytes
            switch event {
            case .message(let piece, let isLast):
                messageBytes += piece.readableBytes
                open += piece.readableBytesView
                if isLast {
                    received.append(.message(open))
                    open = []
                }
            case .ping(let payload): received.append(.ping(Array(payload.readableBytesView)))
            case .pong(let payload): received.append(.pong(Array(payload.readableBytesView)))
            case .close(let code): received.append(.close(code))
            }
        }
    }

    static func read(
        _ bytes: [UInt8], expectsMask: Bool, maximumMessageBytes: Int = 1 << 20
    ) throws(WebSocketError) -> [WebSocketReceived] {
        var reader = WebSocketReader(expectsMask: expectsMask, maximumMessageBytes: maximumMessageBytes)
        try reader.feed(bytes)
        return reader.received
    }
}
