import Foundation
import Synchronization

/// A WebSocket of an old peer: one thread reads, any threads write; messages go out one after the other.
final class OldLink: Sendable {
    /// What came in one frame.
    enum Frame {
        case data([UInt8], isFinal: Bool)
        case ping([UInt8])
        case pong([UInt8])
        case close
    }

    let socket: StreamSocket
    /// Opened by who reads, at the end.
    let over = Gate()
    private let violations: OldViolations
    /// Clients mask what they send and servers do not (RFC 6455 §5.1).
    private let isClient: Bool
    private let fragmentation: OldFragmentation
    private let counts = Mutex((messages: UInt64(0), pings: 0, masks: SplitMix64(seed: 11), hasClosed: false))
    /// Held for one write.
    private let writing = Mutex(())
    /// Held for one message.
    private let speaking = DispatchSemaphore(value: 1)
    // Of the reading thread.
    private let isInMessage = Mutex(false)

    init(
        _ socket: StreamSocket, isClient: Bool, fragmentation: OldFragmentation, _ violations: OldViolations
    ) {
        self.socket = socket
        self.isClient = isClient
        self.fragmentation = fragmentation
        self.violations = violations
    }

    /// Closes it, when nobody is in the middle of a write.
    func end() {
        socket.interrupt()
        writing.withLock { _ in socket.close() }
        over.open()
    }

    // MARK: Reading

    /// Reads the next frame. What breaks WebSocket or the rule of binary messages is a violation and an
    /// error.
    func readFrame() throws -> Frame {
        do {
            let (isFinal, opcode, payload) = try socket.readWebSocketFrame(mustBeMasked: !isClient)
            return try frame(isFinal: isFinal, opcode: opcode, payload: payload)
        } catch let failure as TestFailure {
            violations.add(failure.description)
            throw failure
        }
    }

    private func frame(isFinal: Bool, opcode: UInt8, payload: [UInt8]) throws -> Frame {
        if opcode >= 8 {
            guard isFinal && payload.count <= 125 else { throw TestFailure("a control frame too long") }
            switch opcode {
            case 8:
                guard payload.count != 1 else { throw TestFailure("a close frame with half a code") }
                return .close
            case 9: return .ping(payload)
            case 10: return .pong(payload)
            default: throw TestFailure("WebSocket opcode \(opcode)")
            }
        }
        let wasInMessage = isInMessage.withLock { isInMessage in
            defer { isInMessage = !isFinal }
            return isInMessage
        }
        switch opcode {
        case 0 where wasInMessage, 2 where !wasInMessage: return .data(payload, isFinal: isFinal)
        case 1: throw TestFailure("a text message: \(String(decoding: payload.prefix(40), as: UTF8.self))")
        default: throw TestFailure("a WebSocket fragment out of order: opcode \(opcode)")
        }
    }

    // MARK: Writing

    /// How many pings went out, those between fragments too.
    var pingCount: Int { counts.withLock { $0.pings } }

    func send(_ control: WebSocketMessage) throws {
        if case .ping = control { counts.withLock { $0.pings += 1 } }
        try write(WebSocketWire.frame(control, mask: mask()))
    }

    /// Says good-bye once; what comes after is the other's good-bye.
    func sendClose(_ code: UInt16 = 1000) {
        let isFirst = counts.withLock { counts in
            defer { counts.hasClosed = true }
            return !counts.hasClosed
        }
        if isFirst { try? send(.close(code: code, reason: "")) }
    }

    /// Sends a message at once.
    func send(message: [UInt8]) throws {
        let writer = beginMessage()
        defer { writer.abandon() }
        try writer.write(message, isEnd: true)
    }

    /// Waits until no other message is under way and begins one.
    func beginMessage() -> Writer {
        speaking.wait()
        let number = counts.withLock { counts in
            counts.messages += 1
            return counts.messages
        }
        return Writer(self, OldFragmenter(fragmentation, message: number))
    }

    private func mask() -> [UInt8]? { isClient ? counts.withLock { $0.masks.bytes(4) } : nil }

    private func write(_ bytes: [UInt8]) throws { try writing.withLock { _ in try socket.write(bytes) } }

    /// A message under way. For one thread at a time; may end on another than it began.
    final class Writer: @unchecked Sendable {
        private let link: OldLink
        private var fragmenter: OldFragmenter
        private var isOver = false

        fileprivate init(_ link: OldLink, _ fragmenter: OldFragmenter) {
            self.link = link
            self.fragmenter = fragmenter
        }

        func write(_ piece: [UInt8], isEnd: Bool) throws {
            guard !isOver else { throw TestFailure("the message is over") }
            // Many frames in one write, but never two bodies' worth of memory.
            var bytes: [UInt8] = []
            for frame in fragmenter.frames(for: piece, isEnd: isEnd) {
                switch frame {
                case .ping:
                    link.counts.withLock { $0.pings += 1 }
                    bytes += WebSocketWire.frame(.ping(Array("between".utf8)), mask: link.mask())
                case .data(let part, let isFirst, let isFinal):
                    bytes += WebSocketWire.frame(
                        .binary(Array(part)), mask: link.mask(), isFinal: isFinal, isContinuation: !isFirst)
                }
                if bytes.count >= 1 << 16 {
                    try link.write(bytes)
                    bytes = []
                }
            }
            try link.write(bytes)
            if isEnd { abandon() }
        }

        /// Lets others speak. In the middle of a message that is only right when the connection is over.
        func abandon() {
            guard !isOver else { return }
            isOver = true
            link.speaking.signal()
        }

        deinit { abandon() }
    }
}
