/// The requests of one token that wait for a session, in the order in which they came.
///
/// Ten thousand may wait behind a busy tunnel, and callers that leave do so in any order: none of this takes time in
/// proportion to how many wait, but for a logarithm.
struct WaitingLine<Request: Sendable>: Sendable {
    private struct Place: Sendable {
        let id: UInt64
        /// The event loop of its caller.
        let loop: Int
        /// Nil: it is served, or the caller has left.
        var request: Request?
    }

    /// Ordered by their identifiers. Those before `start` are served or have left; the one there has not left.
    private var places: [Place] = []
    private var start = 0
    /// Places whose room is kept for those who come next.
    private static var keptPlaces: Int { 32 }

    /// How many wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Who is next.
    var first: (loop: Int, request: Request)? {
        guard start < places.count, let request = places[start].request else { return nil }
        return (places[start].loop, request)
    }

    /// All who wait, in their order.
    var all: [Request] { places[start...].compactMap(\.request) }

    /// - Parameter id: greater than all before it.
    mutating func append(_ id: UInt64, loop: Int, _ request: Request) {
        places.append(Place(id: id, loop: loop, request: request))
        count += 1
    }

    /// The first is served.
    mutating func removeFirst() {
        guard !isEmpty else { return }
        places[start].request = nil
        count -= 1
        dropThoseWhoLeft()
    }

    /// One leaves without having been served.
    ///
    /// - Returns: who it was; nil when it does not wait.
    mutating func remove(_ id: UInt64) -> Request? {
        guard let index = index(of: id), let request = places[index].request.take() else { return nil }
        count -= 1
        dropThoseWhoLeft()
        return request
    }

    /// The room of those who are gone is given up when it is half of all: so each costs constant time in the end.
    private mutating func dropThoseWhoLeft() {
        while start < places.count, places[start].request == nil { start += 1 }
        if isEmpty {
            places.removeAll(keepingCapacity: places.count <= Self.keptPlaces)
            start = 0
        } else if start > Self.keptPlaces, start * 2 >= places.count {
            places.removeFirst(start)
            start = 0
        }
    }

    private func index(of id: UInt64) -> Int? {
        var (low, high) = (start, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle].id == id { return middle }
            if places[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return nil
    }
}
