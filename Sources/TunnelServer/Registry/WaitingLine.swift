import NIOCore

/// The requests of one token that wait for a session, in the order in which they came.
///
/// Ten thousand may wait behind a busy tunnel, and callers that leave do so in any order: none of this takes time in
/// proportion to how many wait, but for a logarithm.
struct WaitingLine<Request: Sendable>: Sendable {
    struct Place: Sendable {
        let id: UInt64
        /// The event loop of its caller.
        let loop: Int
        /// Nil: the caller has left.
        fileprivate(set) var request: Request?
    }

    /// Ordered by their identifiers; the first has not left.
    private var places = CircularBuffer<Place>(initialCapacity: 0)
    /// How many wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Who is next.
    var first: (loop: Int, request: Request)? {
        guard let first = places.first, let request = first.request else { return nil }
        return (first.loop, request)
    }

    /// - Parameter id: greater than all before it.
    mutating func append(_ id: UInt64, loop: Int, _ request: Request) {
        places.append(Place(id: id, loop: loop, request: request))
        count += 1
    }

    /// The first is served.
    mutating func removeFirst() {
        guard !isEmpty else { return }
        places.removeFirst()
        count -= 1
        dropThoseWhoLeft()
    }

    /// One leaves without having been served. False when it does not wait.
    mutating func remove(_ id: UInt64) -> Bool {
        guard let index = index(of: id), places[index].request != nil else { return false }
        places[index].request = nil
        count -= 1
        dropThoseWhoLeft()
        return true
    }

    private mutating func dropThoseWhoLeft() {
        while let first = places.first, first.request == nil { places.removeFirst() }
    }

    private func index(of id: UInt64) -> CircularBuffer<Place>.Index? {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            let index = places.index(places.startIndex, offsetBy: middle)
            if places[index].id == id { return index }
            if places[index].id < id { low = middle + 1 } else { high = middle }
        }
        return nil
    }
}
