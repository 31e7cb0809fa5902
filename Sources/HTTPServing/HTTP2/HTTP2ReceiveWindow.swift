/// What a caller may send before we have taken what it sent (RFC 9113 §6.9), on a stream or a connection. It grows where it
/// holds up somebody who could go on.
struct HTTP2ReceiveWindow {
    /// What callers may send on a connection, and on a stream, that has said nothing.
    static let initial = 65_535

    /// What it may grow to.
    private let most: Int
    /// Whether it grows where much waits: others share it, who need not wait for that.
    private let isShared: Bool
    /// What may be on its way or wait here, in bytes.
    private(set) var promised: Int
    /// What the caller may still send.
    var offered = Self.initial
    /// What came and waits.
    private(set) var held = 0
    private var takenSinceGrowth = 0

    init(promised: Int, most: Int, isShared: Bool = false) {
        self.promised = promised
        self.isShared = isShared
        self.most = most
    }

    mutating func came(_ bytes: Int) { held += bytes }

    mutating func taken(_ bytes: Int) {
        held -= bytes
        takenSinceGrowth += bytes
    }

    /// - Parameter mayGrow: asked for so many bytes more, where more are worth it.
    /// - Returns: by how much the caller's window opens now; 0 where that is not worth a frame.
    mutating func opening(mayGrow: (Int) -> Bool) -> Int {
        let isFast = takenSinceGrowth >= promised && held <= promised / 8
        if offered < promised / 2, promised < most, isFast || isShared && held > promised / 2 {
            let more = min(promised, most - promised)
            if mayGrow(more) { promised += more }
            takenSinceGrowth = 0
        }
        let opening = promised - held - offered
        guard opening >= promised / 4 else { return 0 }
        offered += opening
        return opening
    }
}
