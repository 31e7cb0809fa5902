import Observability
import Testing

@testable import Supervision

@Suite(.timeLimit(.minutes(1))) struct ExemplarCollectorTests {
    private static func request(_ id: UInt64, server: String = "public") -> EndedRequest {
        var timing = RequestTiming(whole: 1_000_000)
        timing.queue = 0
        let record = AccessRecord(
            serverName: server, tokenHint: nil, requestID: id, method: "GET", path: "/", status: 200,
            timing: timing, callerAddress: "192.0.2.7", outcome: .ok)
        return EndedRequest(record, at: 1)
    }

    @Test @AgentActor func whoScrapesListensUntilThereWereEnough() async throws {
        let feed = Feed<EndedRequest>(capacity: 4096)
        let collector = ExemplarCollector(feed)
        #expect(!feed.isWanted)
        #expect(collector.collect(ofServers: ["public"]).isEmpty)
        #expect(feed.isWanted)
        feed.publish { _ in Self.request(1) }
        feed.publish { _ in Self.request(2, server: "gone") }
        #expect(Set(collector.collect(ofServers: ["public"]).keys) == ["public"])
        // Not before it waits for them.
        while feed.isWanted {
            feed.publish { Self.request($0) }
            await Task.yield()
        }
        #expect(feed.last >= 512)
        // What it knows it keeps, for as long as there is the server.
        #expect(Set(collector.collect(ofServers: ["public"]).keys) == ["public"])
        #expect(feed.isWanted)
        #expect(collector.collect(ofServers: []).isEmpty)
    }
}
