import AgentStatus
import NIOCore
import Observability
import Synchronization

// A feed as server-sent events (WHATWG HTML §9.2).
extension AdminStream {
    /// How long there is nothing to tell before a comment says that the stream lives.
    private static let silence: Duration = .seconds(15)
    /// Elements in one piece.
    private static let most = 256
    /// After how many milliseconds a reader whose connection broke is to come again.
    private static let retryMilliseconds = 2000

    /// Where a stream of a feed begins.
    enum Start: Sendable {
        /// Behind the element of that number.
        case behind(UInt64)
        /// With the oldest that is kept: what the reader had before is not known here.
        case oldest
    }

    /// The elements of a feed, each an event with its number. How many were missed is an event `missed`: a number, or null where
    /// nobody knows it.
    ///
    /// - Parameters:
    ///   - end: the number of the one behind which it ends; nil for never.
    ///   - pace: elements a second that are told at most, where there may be many more than anybody reads: to tell one costs more than it
    ///     does to serve a request. The others are missed.
    ///   - filter: which are told.
    ///   - name: what an event of the stream is called.
    static func events<Element: Encodable & Sendable>(
        of feed: Feed<Element>, from start: Start, until end: UInt64? = nil, pace: Int? = nil,
        where filter: @escaping @Sendable (Element) -> Bool = { _ in true },
        named name: @escaping @Sendable (Element) -> String
    ) -> AdminStream {
        let reader = Mutex(EventReader<Element>(start, filter: filter, name: name))
        let subscription = FeedSubscription(feed)
        return AdminStream(mediaType: "text/event-stream") {
            if let opening = reader.withLock({ $0.takeOpening(Self.retryMilliseconds) }) { return opening }
            let deadline = ContinuousClock.now + silence
            while !Task.isCancelled {
                let (place, rest) = reader.withLock { ($0.place, $0.restsUntil) }
                if let rest { try? await Task.sleep(until: rest) }
                if let end, place >= end { return nil }
                let batch = await subscription.feed.next(
                    after: place, most: most, within: max(.zero, deadline - .now))
                guard let batch else { break }
                if let text = reader.withLock({ $0.text(of: batch, pace: pace) }) {
                    return ByteBuffer(string: text)
                }
                if .now >= deadline { break }
            }
            return Task.isCancelled ? nil : reader.withLock { $0.signOfLife() }
        }
    }
}

/// How far one reader of a feed has come.
private struct EventReader<Element: Encodable & Sendable>: Sendable {
    private let filter: @Sendable (Element) -> Bool
    private let name: @Sendable (Element) -> String
    /// Read up to here.
    private(set) var place: UInt64
    /// When it may read on; nil for at once.
    var restsUntil: ContinuousClock.Instant?
    /// What its receiver knows of that.
    private var toldPlace: UInt64
    private let missesUnknown: Bool
    private var isOpen = false

    init(
        _ start: AdminStream.Start, filter: @escaping @Sendable (Element) -> Bool,
        name: @escaping @Sendable (Element) -> String
    ) {
        self.filter = filter
        self.name = name
        switch start {
        case .behind(let number): (place, missesUnknown) = (number, false)
        case .oldest: (place, missesUnknown) = (0, true)
        }
        toldPlace = place
    }

    /// What the stream begins with, once.
    mutating func takeOpening(_ retryMilliseconds: Int) -> ByteBuffer? {
        guard !isOpen else { return nil }
        isOpen = true
        let missed = missesUnknown ? "event: missed\ndata: null\n\n" : ""
        return ByteBuffer(string: "retry: \(retryMilliseconds)\n\n\(missed)")
    }

    /// - Returns: nil where nothing of it is to be told.
    mutating func text(of batch: Feed<Element>.Batch, pace: Int?) -> String? {
        var told = 0
        defer { if let pace { restsUntil = .now + .seconds(1) * told / pace } }
        var text = batch.missed == 0 ? "" : "event: missed\ndata: \(batch.missed)\n\n"
        place = batch.last
        var number = batch.last - UInt64(batch.elements.count)
        for element in batch.elements {
            number += 1
            guard filter(element), let json = try? JSONText.string(of: element) else { continue }
            text += "id: \(number)\nevent: \(name(element))\ndata: \(json)\n\n"
            toldPlace = number
            told += 1
        }
        return text.isEmpty ? nil : text
    }

    /// A comment; where others were passed over, how far that has come: who comes again need not read them again.
    mutating func signOfLife() -> ByteBuffer {
        guard toldPlace < place else { return ByteBuffer(string: ":\n\n") }
        toldPlace = place
        return ByteBuffer(string: "id: \(place)\n\n")
    }
}

/// Who holds it reads the feed.
private final class FeedSubscription<Element: Sendable>: Sendable {
    let feed: Feed<Element>

    init(_ feed: Feed<Element>) {
        self.feed = feed
        feed.subscribe()
    }

    deinit { feed.unsubscribe() }
}
