import Glibc
import TunnelProtocol

/// Unpredictable WebSocket masks (RFC 6455 §10.3) from the system's generator, many for each time it is asked: that
/// is a system call, and every frame that a client sends takes a mask.
struct MaskSource {
    /// As many as one call gives: 256 bytes.
    private static let most = 64

    /// How many to ask for: few at first, as there are thousands of sessions that send a frame a minute.
    private var batch = 4
    private var spare: [UInt32] = []

    mutating func next() -> WebSocketMask {
        if let bits = spare.popLast() { return WebSocketMask(random: bits) }
        spare = [UInt32](repeating: 0, count: batch)
        let isFilled = spare.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) == 0 }
        guard isFilled else {
            spare = []
            return WebSocketMask(random: .random(in: .min ... .max))
        }
        batch = min(Self.most, batch * 2)
        return WebSocketMask(random: spare.removeLast())
    }
}
