import TunnelProtocol

/// Unpredictable WebSocket masks (RFC 6455 §10.3) from the system's generator, two for each time it is asked.
struct MaskSource {
    private var spare: UInt32?

    mutating func next() -> WebSocketMask {
        if let bits = spare.take() { return WebSocketMask(random: bits) }
        let bits = UInt64.random(in: .min ... .max)
        spare = UInt32(truncatingIfNeeded: bits >> 32)
        return WebSocketMask(random: UInt32(truncatingIfNeeded: bits))
    }
}
