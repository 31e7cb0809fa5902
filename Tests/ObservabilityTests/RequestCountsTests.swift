import Testing

@testable import Observability

/// Counting requests and their times.
@Suite struct RequestCountsTests {
    @Test(
        arguments: [
            // What passed, what the client says, and what comes of it: its own and the tunnel's share, in microseconds.
            (500_000, 300_000, 300_000, 200_000), (500_000, 0, 0, 500_000), (500_000, 500_001, 500_000, 0),
            (500_000, UInt32.max, 500_000, 0), (0, UInt32.max, 0, 0), (-1, 7, 0, 0),
        ] as [(Int64, UInt32, Int64, Int64)])
    func aClientIsBelievedNoMoreThanThereIs(
        passed: Int64, said: UInt32, origin: Int64, tunnel: Int64
    ) {
        var timing = RequestTiming(whole: 900_000_000)
        timing.split(passed * 1000, originMicroseconds: said)
        #expect(timing.origin == origin * 1000 && timing.tunnel == tunnel * 1000)
        #expect(timing.times.origin == .microseconds(origin) && timing.times.tunnel == .microseconds(tunnel))
    }

    @Test func placesAreThoseOfTheOutcomes() {
        #expect(AccessOutcome.allCases.map(\.place) == Array(AccessOutcome.allCases.indices))
    }

    @Test func whatWentToATunnelIsCountedByItsParts() {
        let counts = RequestCounts()
        counts.requestBegan()
        counts.requestBegan()
        var timing = RequestTiming(whole: 700_000_000, firstByte: 600_000_000)
        timing.queue = 100_000_000
        timing.split(500_000_000, originMicroseconds: 300_000)
        counts.requestEnded(200, .ok, timing)
        // Answered here.
        counts.requestEnded(404, .answeredHere, RequestTiming(whole: 1000, firstByte: 1000))
        let measures = counts.measures
        let tally = measures.requests
        #expect(measures.inFlight == 1 && tally.began == 2)
        #expect(tally.statuses[200] == 1 && tally.statuses[404] == 1 && tally.statuses[0] == 0)
        #expect(tally.outcomes[AccessOutcome.ok.place] == 1)
        #expect(tally.queue.sum == 100_000 && tally.tunnel.sum == 200_000 && tally.origin.sum == 300_000)
        #expect(tally.whole.sum == 700_000 && tally.whole.count == 1)
        // An upgrade that lasted an hour.
        var raw = RequestTiming(whole: 3_600_000_000_000)
        raw.queue = 0
        raw.isRaw = true
        counts.requestEnded(101, .ok, raw)
        #expect(counts.measures.requests.whole.count == 1 && counts.measures.requests.queue.count == 2)
        #expect(counts.measures.inFlight == 0)
    }

    @Test func histogramsAddUp() {
        var one = DurationHistogram()
        var other = DurationHistogram()
        #expect(one.count == 0 && one.counts.count == DurationHistogram.bounds.count + 1)
        one += other
        #expect(one == DurationHistogram())
        other.record(.milliseconds(1))
        other.record(.microseconds(1001))
        other.record(.seconds(100))
        one += other
        one += other
        #expect(one.count == 6 && one.sum == 2 * (1000 + 1001 + 100_000_000))
        #expect(one.counts[0] == 2 && one.counts[1] == 2 && one.counts.last == 2)
    }

    @Test(arguments: [LogFormat.logfmt, .text, .json]) func theLineTellsTheParts(format: LogFormat) {
        var record = AccessRecord(
            serverName: "public", tokenHint: nil, requestID: 1, method: "GET", path: "/", status: 200,
            timing: RequestTiming(whole: 9_000_000, firstByte: 6_000_000), callerAddress: "192.0.2.1",
            outcome: .ok)
        let line = { (record: AccessRecord) in
            String(
                decoding: record.line(format: format, at: LogTimestamp(millisecondsSince1970: 0)),
                as: UTF8.self)
        }
        for absent in ["queue.ms", "tunnel.ms", "origin.ms"] { #expect(!line(record).contains(absent)) }
        record.timing.queue = 1_000_000
        record.timing.tunnel = 2_000_000
        record.timing.origin = 3_000_000
        let parts =
            format == .json
            ? #""queue.ms":1.000,"tunnel.ms":2.000,"origin.ms":3.000,"duration.ms":9.000"#
            : "queue.ms=1.000 tunnel.ms=2.000 origin.ms=3.000 duration.ms=9.000"
        #expect(line(record).contains(parts))
    }
}
