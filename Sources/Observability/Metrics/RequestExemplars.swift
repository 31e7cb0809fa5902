package import AgentStatus

/// A request by which people find out why some are slow.
package struct RequestExemplar: Sendable, Hashable {
    /// Its `X-Request-Id`, else the number by which its server's log calls it.
    package let requestID: String
    package let traceID: String?
    package let microseconds: Int64
    /// When it was over, in milliseconds since 1970.
    package let at: Int64

    /// What an exemplar may hold (OpenMetrics 1.0: 128 characters with the names of labels) is kept to with this for the id.
    private static let longestID = 64

    init(_ request: RequestSnapshot) {
        let external = request.externalID.flatMap {
            Self.isPlain($0) && $0.utf8.count <= Self.longestID ? $0 : nil
        }
        requestID = external ?? "\(request.id)"
        traceID = request.traceID.flatMap { Self.isPlain($0) && $0.utf8.count == 32 ? $0 : nil }
        microseconds = Int64(max(0, min(request.duration, 1e12)) * 1000)
        at = request.at
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}

/// The last request in each bucket of a `DurationHistogram` that somebody has told of.
package struct RequestExemplars: Sendable, Hashable {
    private var buckets = [RequestExemplar?](repeating: nil, count: DurationHistogram.bounds.count + 1)

    package init() {}

    package mutating func note(_ request: RequestSnapshot) {
        let exemplar = RequestExemplar(request)
        let bounds = DurationHistogram.bounds
        buckets[bounds.firstIndex { exemplar.microseconds <= $0 } ?? bounds.count] = exemplar
    }

    subscript(bucket index: Int) -> RequestExemplar? { buckets[index] }
}
