import Foundation

/// A WebSocket message or control frame.
package enum WebSocketMessage: Hashable, Sendable {
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// With the code of RFC 6455 §7.4; nil when there was none.
    case close(code: UInt16?, reason: String)
}

/// RFC 6455 framing for tests: plain, slow, and written apart from the agent's.
enum WebSocketWire {
    /// A frame's bytes.
    static func frame(
        _ message: WebSocketMessage, mask: [UInt8]?, isFinal: Bool = true, isContinuation: Bool = false
    ) -> [UInt8] {
        let (opcode, payload) = parts(of: message)
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | (isContinuation ? 0 : opcode)]
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        switch payload.count {
        case ..<126: bytes.append(maskBit | UInt8(payload.count))
        case ..<65_536:
            bytes.append(maskBit | 126)
            withUnsafeBytes(of: UInt16(payload.count).bigEndian) { bytes += $0 }
        default:
            bytes.append(maskBit | 127)
            withUnsafeBytes(of: UInt64(payload.count).bigEndian) { bytes += $0 }
        }
        guard let mask else { return bytes + payload }
        return bytes + mask + masked(payload, mask)
    }

    private static func parts(of message: WebSocketMessage) -> (opcode: UInt8, payload: [UInt8]) {
        switch message {
        case .text(let text): return (1, Array(text.utf8))
        case .binary(let bytes): return (2, bytes)
        case .close(let code, let reason):
            guard let code else { return (8, []) }
            return (8, [UInt8(code >> 8), UInt8(code & 0xff)] + Array(reason.utf8))
        case .ping(let bytes): return (9, bytes)
        case .pong(let bytes): return (10, bytes)
        }
    }

    /// A payload with its mask put on, or taken off: eight bytes at a time, for bodies of many MiB.
    static func masked(_ payload: [UInt8], _ mask: [UInt8]) -> [UInt8] {
        var result = payload
        let word = (mask + mask).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        result.withUnsafeMutableBytes { bytes in
            let whole = bytes.count & ~7
            for index in stride(from: 0, to: whole, by: 8) {
                let value = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                bytes.storeBytes(of: value ^ word, toByteOffset: index, as: UInt64.self)
            }
            for index in whole..<bytes.count { bytes[index] ^= mask[index & 3] }
        }
        return result
    }

    /// The value of `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2).
    static func accept(forKey key: String) -> String {
        Data(sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))).base64EncodedString()
    }

    /// SHA-1 (FIPS 180-4 §6.1), which the handshake asks for.
    private static func sha1(_ message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        withUnsafeBytes(of: UInt64(message.count * 8).bigEndian) { padded += $0 }
        for start in stride(from: 0, to: padded.count, by: 64) {
            var words = stride(from: start, to: start + 64, by: 4).map { offset in
                padded[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            }
            for index in 16..<80 {
                let mixed = words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
                words.append(mixed << 1 | mixed >> 31)
            }
            var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
            for index in 0..<80 {
                let (choice, constant): (UInt32, UInt32) =
                    switch index {
                    case ..<20: ((b & c) | (~b & d), 0x5a82_7999)
                    case ..<40: (b ^ c ^ d, 0x6ed9_eba1)
                    case ..<60: ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc)
                    default: (b ^ c ^ d, 0xca62_c1d6)
                    }
                let next = (a << 5 | a >> 27) &+ choice &+ e &+ constant &+ words[index]
                (e, d, c, b, a) = (d, c, b << 30 | b >> 2, a, next)
            }
            for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
        }
        return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) } }
    }
}

extension StreamSocket {
    /// Reads the next message, joined from its fragments; a control frame may come between those.
    ///
    /// - Parameter mustBeMasked: what RFC 6455 §5.1 asks of the peer: true from a client.
    func readWebSocketMessage(
        mustBeMasked: Bool, unfinished: inout (opcode: UInt8, payload: [UInt8])?
    ) throws -> WebSocketMessage {
        while true {
            let (isFinal, opcode, payload) = try readWebSocketFrame(mustBeMasked: mustBeMasked)
            if opcode >= 8 { return try Self.message(opcode: opcode, payload: payload) }
            switch (opcode, unfinished) {
            case (0, let begun?): unfinished = (begun.opcode, begun.payload + payload)
            case (1...2, nil): unfinished = (opcode, payload)
            default: throw TestFailure("a WebSocket fragment out of order")
            }
            if isFinal, let whole = unfinished {
                unfinished = nil
                return try Self.message(opcode: whole.opcode, payload: whole.payload)
            }
        }
    }

    func readWebSocketFrame(
        mustBeMasked: Bool
    ) throws -> (isFinal: Bool, opcode: UInt8, payload: [UInt8]) {
        let start = try read(2)
        guard start[0] & 0x70 == 0 else { throw TestFailure("reserved WebSocket bits are set") }
        guard (start[1] & 0x80 != 0) == mustBeMasked else { throw TestFailure("WebSocket masking is wrong") }
        var length = Int(start[1] & 0x7f)
        if length >= 126 {
            let least = length == 126 ? 126 : 65_536
            length = try read(length == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) }
            guard length >= least else { throw TestFailure("a WebSocket length is not the shortest") }
        }
        let mask = mustBeMasked ? try read(4) : nil
        let payload = try read(length)
        return (
            start[0] & 0x80 != 0, start[0] & 0x0f, mask.map { WebSocketWire.masked(payload, $0) } ?? payload
        )
    }

    private static func message(opcode: UInt8, payload: [UInt8]) throws -> WebSocketMessage {
        switch opcode {
        case 1:
            guard let text = String(validating: payload, as: UTF8.self) else {
                throw TestFailure("a WebSocket text is not UTF-8")
            }
            return .text(text)
        case 2: return .binary(payload)
        case 8 where payload.count < 2: return .close(code: nil, reason: "")
        case 8:
            let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
            return .close(code: code, reason: String(decoding: payload[2...], as: UTF8.self))
        case 9: return .ping(payload)
        case 10: return .pong(payload)
        default: throw TestFailure("WebSocket opcode \(opcode)")
        }
    }
}
