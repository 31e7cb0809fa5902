import AgentStatus
import Foundation
import Testing

@testable import Observability

@Suite struct MetricsWriterTests {
    private static let counter = MetricFamily(.counter, "a_time", in: .seconds, by: ["server"], "Some time.")

    private static func page(_ format: MetricsFormat, _ body: (inout MetricsWriter) -> Void) -> String {
        var writer = MetricsWriter(format)
        body(&writer)
        return String(decoding: writer.finished(), as: UTF8.self)
    }

    @Test func aCounterIsWrittenAsEitherFormatHasIt() {
        let body: (inout MetricsWriter) -> Void = { writer in
            writer.begin(Self.counter)
            writer.add(.microseconds(1_500_000), "public")
        }
        #expect(
            Self.page(.prometheus, body) == """
                # HELP a_time_seconds_total Some time.
                # TYPE a_time_seconds_total counter
                a_time_seconds_total{server="public"} 1.5

                """)
        #expect(
            Self.page(.openMetrics, body) == """
                # HELP a_time_seconds Some time.
                # TYPE a_time_seconds counter
                # UNIT a_time_seconds seconds
                a_time_seconds_total{server="public"} 1.5
                # EOF

                """)
    }

    @Test func anInfoIsAGaugeForWhoDoesNotKnowIt() {
        let family = MetricFamily(.info, "it", by: ["version"], "It.")
        let body: (inout MetricsWriter) -> Void = { writer in
            writer.begin(family)
            writer.add(MetricNumber(1), "2")
        }
        #expect(Self.page(.prometheus, body).contains("# TYPE it_info gauge\nit_info{version=\"2\"} 1\n"))
        #expect(Self.page(.openMetrics, body).contains("# TYPE it info\nit_info{version=\"2\"} 1\n"))
    }

    @Test(arguments: [
        (MetricNumber(0), "0"), (MetricNumber(UInt64.max), "18446744073709551615"),
        (MetricNumber(Int.min), "-9223372036854775808"), (.microseconds(1), "0.000001"),
        (.microseconds(-1_050_000), "-1.05"), (.microseconds(10_000_000), "10"),
        (.milliseconds(1_030), "1.03"),
        (.ratio(1, of: 3), "0.333"), (.ratio(7, of: 0), "7"), (.ratio(.max, of: 1), "9223372036854775.807"),
        (MetricNumber(true), "1"),
    ]) func numbersAreExact(number: MetricNumber, text: String) {
        var bytes: [UInt8] = []
        bytes.append(number)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test(arguments: [
        ("plain.name-1_x", "plain.name-1_x"), ("a\"b\\c\nd", #"a\"b\\c\nd"#), ("", ""), ("ü→", "ü→"),
    ]) func labelsAreEscaped(value: String, written: String) {
        let text = Self.page(.prometheus) { writer in
            writer.begin(Self.counter)
            writer.add(MetricNumber(1), value)
        }
        #expect(text.hasSuffix("a_time_seconds_total{server=\"\(written)\"} 1\n"))
    }

    @Test func bucketsAddUpAndHaveTheSameBoundsInBothFormats() throws {
        var histogram = DurationHistogram()
        for microseconds: Int64 in [500, 1000, 1001, 70_000_000] {
            histogram.record(microseconds: microseconds)
        }
        let family = MetricFamily(.histogram, "it", in: .seconds, by: ["server"], "It.")
        for format in MetricsFormat.allCases {
            let text = Self.page(format) { writer in
                writer.begin(family)
                writer.add(histogram, "a")
            }
            let buckets = text.split(separator: "\n").filter { $0.contains("_bucket") }
            #expect(buckets.count == DurationHistogram.bounds.count + 1)
            #expect(buckets[0] == #"it_seconds_bucket{server="a",le="0.001"} 2"#)
            #expect(buckets[1] == #"it_seconds_bucket{server="a",le="0.0025"} 3"#)
            #expect(buckets[9] == #"it_seconds_bucket{server="a",le="1.0"} 3"#)
            #expect(buckets.last == #"it_seconds_bucket{server="a",le="+Inf"} 4"#)
            #expect(text.contains(#"it_seconds_sum{server="a"} 70.002501"#))
            #expect(text.contains(#"it_seconds_count{server="a"} 4"#))
        }
    }

    @Test(
        arguments: [
            ("0123-abc", nil, #"{request_id="0123-abc"}"#),
            (nil, nil, #"{request_id="77"}"#),
            // What strangers may have made up goes no further.
            (String(repeating: "x", count: 65), nil, #"{request_id="77"}"#),
            ("a b", nil, #"{request_id="77"}"#),
            (
                "id", String(repeating: "a", count: 32),
                #"{trace_id="\#(String(repeating: "a", count: 32))",request_id="id"}"#
            ),
        ] as [(String?, String?, String)])
    func aRequestStandsBesideItsBucket(externalID: String?, traceID: String?, labels: String) {
        var exemplars = RequestExemplars()
        exemplars.note(
            RequestSnapshot(
                at: 1_700_000_000_123, server: "a", tokenHint: nil, id: 77, externalID: externalID,
                traceID: traceID, method: "GET", path: "/", status: 200, requestBytes: 0, responseBytes: 0,
                firstByte: nil, duration: 40.5, caller: "192.0.2.7", outcome: "ok"))
        var histogram = DurationHistogram()
        histogram.record(microseconds: 40_500)
        let body: (inout MetricsWriter) -> Void = { writer in
            writer.begin(MetricCatalogue.durations)
            writer.add(histogram, "a", exemplars: exemplars)
        }
        let lines = Self.page(.openMetrics, body).split(separator: "\n").filter { $0.contains(" # ") }
        let bucket = #"wstunnel_request_duration_seconds_bucket{server="a",le="0.05"} 1"#
        #expect(lines.map { String($0) } == ["\(bucket) # \(labels) 0.0405 1700000000.123"])
        #expect(!Self.page(.prometheus, body).contains(" # {"))
        #expect(labels.count <= 128)
    }
}
