import DequeModule
import NIOCore
import TunnelProtocol

/// A stream that the server opened and whose exchange with the origin has not begun.
struct Arrival {
    let stream: OriginStream
    let head: ByteBuffer
    let isLast: Bool
}

/// Arrivals in order. Those that are withdrawn meanwhile are passed over.
///
/// Streams are bounded by the session, withdrawn ones are not: they are swept out when they are the greater part.
struct Arrivals {
    private static let firstSweep = 256

    private var queue = Deque<Arrival>()
    private var nextSweep = Self.firstSweep

    /// Whether nothing waits; not even what was withdrawn.
    var isEmpty: Bool { queue.isEmpty }

    /// What is kept, withdrawn ones included.
    var count: Int { queue.count }

    mutating func append(_ arrival: Arrival) {
        if queue.count >= nextSweep { sweep() }
        queue.append(arrival)
    }

    /// The oldest that still stands.
    mutating func next() -> Arrival? {
        while let arrival = queue.popFirst() {
            if !arrival.stream.isWithdrawn { return arrival }
        }
        return nil
    }

    private mutating func sweep() {
        var kept = Deque<Arrival>()
        while let arrival = next() { kept.append(arrival) }
        queue = kept
        nextSweep = max(Self.firstSweep, kept.count * 2)
    }
}
