import TestSupport

/// An origin that sends WebSocket messages back, for messages of one size: `WebSocketMessages.payloadSize`.
final class EchoOrigin: Sendable {
    private let origin: ScriptedOrigin
    var port: Int { origin.port }

    init() throws {
        origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.acceptWebSocket(request)
            var pending: [UInt8] = []
            while true {
                pending += try connection.socket.readSome()
                let count = pending.count / WebSocketMessages.maskedSize
                guard count > 0 else { continue }
                try connection.socket.write(WebSocketMessages.unmasked(pending, count: count))
                pending.removeFirst(count * WebSocketMessages.maskedSize)
            }
        }
    }
}

/// WebSocket messages of 125 bytes (RFC 6455 §5.2), the longest whose frame has the shortest head.
enum WebSocketMessages {
    static let payloadSize = 125
    /// A caller's frame: two bytes, the mask, the payload.
    static let maskedSize = 2 + 4 + payloadSize
    /// An origin's frame.
    static let plainSize = 2 + payloadSize

    private static let mask: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]

    /// So many frames of a caller.
    static func masked(count: Int) -> [UInt8] {
        let payload = (0..<payloadSize).map { UInt8(ascii: "a") ^ mask[$0 & 3] }
        let frame = [0x82, 0x80 | UInt8(payloadSize)] + mask + payload
        return (0..<count).flatMap { _ in frame }
    }

    /// The answers to so many frames of a caller.
    static func unmasked(_ frames: [UInt8], count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count * plainSize) { space, initialized in
            for number in 0..<count {
                let (from, to) = (number * maskedSize, number * plainSize)
                space[to] = 0x82
                space[to + 1] = UInt8(payloadSize)
                for index in 0..<payloadSize {
                    space[to + 2 + index] = frames[from + 6 + index] ^ frames[from + 2 + (index & 3)]
                }
            }
            initialized = count * plainSize
        }
    }
}
