import AgentStatus
import FoundationEssentials
import HTTPMessage
import NIOCore
import Observability
import Synchronization

// What happens, while it happens: server-sent events (WHATWG HTML §9.2).
extension AdminOperation {
    static let feeds: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/events",
            summary: "Events as they happen; with Last-Event-ID, those since that one.",
            responses: [
                Response(meaning: "Without an end.", mediaType: "text/event-stream", schema: .string())
            ]
        ) { question, control in
            let feed = control.events
            let start = question.head.fields.first(named: "Last-Event-ID").flatMap { UInt64($0) }
            return .stream(
                .events(of: feed, after: start ?? feed.last, named: { $0.kind.rawValue }))
        },
        AdminOperation(
            method: "GET", path: "/api/requests", summary: "Requests as they end.",
            responses: [
                Response(meaning: "Without an end.", mediaType: "text/event-stream", schema: .string())
            ]
        ) { _, control in
            let feed = control.requests
            return .stream(.events(of: feed, after: feed.last, named: { _ in "request" }))
        },
    ]
}

extension AdminStream {
    /// How long there is nothing to tell before a comment says that the stream lives.
    private static let silence: Duration = .seconds(15)
    /// Elements in one piece.
    private static let most = 256

    /// The elements of a feed, each an event with its number; how many were missed as an event `missed`.
    ///
    /// - Parameters:
    ///   - start: the number of the one behind which it begins.
    ///   - name: what an event of the stream is called.
    static func events<Element: Encodable & Sendable>(
        of feed: Feed<Element>, after start: UInt64, named name: @escaping @Sendable (Element) -> String
    ) -> AdminStream {
        let place = Mutex(start)
        let subscription = FeedSubscription(feed)
        return AdminStream(mediaType: "text/event-stream") {
            let last = place.withLock { $0 }
            guard let batch = await subscription.feed.next(after: last, most: most, within: silence) else {
                return Task.isCancelled ? nil : ByteBuffer(string: ":\n\n")
            }
            place.withLock { $0 = batch.last }
            var text = batch.missed == 0 ? "" : "event: missed\ndata: \(batch.missed)\n\n"
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            var number = batch.last - UInt64(batch.elements.count)
            for element in batch.elements {
                number += 1
                guard let json = try? encoder.encode(element) else { continue }
                text +=
                    "id: \(number)\nevent: \(name(element))\ndata: \(String(decoding: json, as: UTF8.self))\n\n"
            }
            return ByteBuffer(string: text)
        }
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
