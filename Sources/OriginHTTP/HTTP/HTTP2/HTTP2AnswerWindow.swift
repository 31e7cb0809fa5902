/// What an origin may send of one answer before we have taken what it sent (RFC 9113 §6.9). It grows where all was taken at
/// once: then it is the window that holds up the origin.
struct HTTP2AnswerWindow {
    /// With what each begins, in bytes.
    static let initial = 65_535
    /// To what one grows.
    private static let most = 1 << 20

    private var promised = Self.initial
    /// What the origin may still send.
    var offered = Self.initial
    /// What came and waits.
    private(set) var held = 0
    private var takenSinceGrowth = 0

    mutating func came(_ bytes: Int) { held += bytes }

    mutating func taken(_ bytes: Int) {
        held -= bytes
        takenSinceGrowth += bytes
    }

    /// - Parameter mayGrow: asked for so many bytes more, where more are worth it.
    /// - Returns: by how much the origin's window opens now; 0 where that is not worth a frame.
    mutating func opening(mayGrow: (Int) -> Bool) -> Int {
        if held == 0, takenSinceGrowth >= promised, promised < Self.most {
            takenSinceGrowth = 0
            let more = min(promised, Self.most - promised)
            if mayGrow(more) { promised += more }
        }
        let opening = promised - held - offered
        guard opening >= promised / 2 else { return 0 }
        offered += opening
        return opening
    }

    /// What it has grown by.
    var growth: Int { promised - Self.initial }
}
