import AgentStatus
import Foundation
import HTTPMessage
import Observability
import Testing

/// Which requests are traced, and what is told of them.
@Suite struct TracingTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"

    private static func fields(_ parent: String?, state: String? = nil) -> HeaderFields {
        var fields = HeaderFields()
        if let parent { fields.append(.traceparent, parent) }
        if let state { fields.append(.tracestate, state) }
        return fields
    }

    /// Begins requests with rules in force.
    private final class World {
        let tracing = Tracing()
        var ids = TraceIDs(seed: (1, 2, 3, 4))
        var now: UInt64 = 1_000_000_000

        init(_ sampling: TraceSampling) { tracing.apply(sampling) }

        func begin(_ fields: inout HeaderFields, isTrusted: Bool = false) -> RequestTrace? {
            tracing.begin(&fields, isTrusted: isTrusted, isSecure: false, now: now, ids: &ids)
        }

        func isRecorded(_ parent: String?, isTrusted: Bool = false) -> Bool {
            var fields = TracingTests.fields(parent)
            return begin(&fields, isTrusted: isTrusted)?.isRecorded == true
        }
    }

    @Test func itIsOffUntilSomebodyAsks() {
        let tracing = Tracing()
        #expect(!tracing.isOn)
        tracing.apply(TraceSampling())
        #expect(tracing.isOn)
        tracing.apply(nil)
        #expect(!tracing.isOn)
    }

    @Test func ourSpanIsTheNextOnesParent() throws {
        let world = World(TraceSampling())
        var fields = Self.fields(Self.parent + "-01", state: "a=1")
        let trace = try #require(world.begin(&fields))
        let goes = try #require(fields.traceContext)
        #expect(trace.context == goes && trace.isRecorded)
        #expect(trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(trace.parent == 0x00f0_67aa_0ba9_02b7)
        #expect(goes.spanID != trace.parent && goes.isSampled)
        #expect(fields.values(.tracestate) == ["a=1"])
    }

    @Test func aTraceBeginsWhereNoneCame() throws {
        let world = World(TraceSampling())
        var (first, second) = (Self.fields(nil, state: "a=1"), Self.fields("nonsense", state: "a=1"))
        let traces = [try #require(world.begin(&first)), try #require(world.begin(&second))]
        for (trace, fields) in zip(traces, [first, second]) {
            #expect(trace.isRecorded && trace.parent == nil)
            #expect(fields.traceContext == trace.context)
            #expect(fields.values(.traceparent).count == 1)
            #expect(trace.context.isSampled && trace.context.isRandom)
            #expect(!fields.contains(.tracestate))
        }
        #expect(traces[0].traceID != traces[1].traceID)
    }

    @Test func whatACallerDoesNotSampleGoesAsItCame() throws {
        let world = World(TraceSampling())
        var fields = Self.fields(Self.parent + "-00", state: "a=1")
        let trace = try #require(world.begin(&fields))
        #expect(!trace.isRecorded && trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(fields[.traceparent] == Self.parent + "-00")
        #expect(fields[.tracestate] == "a=1")
    }

    @Test func aShareOfThoseThatBeginHereIsKept() {
        for ratio in [0, 0.25, 1] {
            let world = World(TraceSampling(ratio: ratio, spansPerSecond: 1_000_000))
            let kept = (0..<4000).count { _ in world.isRecorded(nil) }
            #expect(abs(Double(kept) - 4000 * ratio) < 200, "\(kept) of \(ratio)")
            // A caller's wish counts.
            #expect(world.isRecorded(Self.parent + "-01"))
        }
    }

    @Test func aStrangersWishMayCountForNothing() {
        let world = World(TraceSampling(ratio: 0, callersMaySample: false))
        #expect(!world.isRecorded(Self.parent + "-01"))
        // Not by an id of his choice either.
        #expect(!world.isRecorded("00-4bf92f3577b34da6a300000000000000-00f067aa0ba902b7-01"))
        #expect(world.isRecorded(Self.parent + "-01", isTrusted: true))
        #expect(!world.isRecorded(Self.parent + "-00", isTrusted: true))
    }

    @Test func moreThanTheLimitAreLeftOut() {
        let world = World(TraceSampling(ratio: 1, spansPerSecond: 8))
        #expect(
            (0..<5).map { _ in world.isRecorded(Self.parent + "-01") } == [true, true, false, false, false])
        #expect(world.tracing.limited == 3)
        world.now += 500_000_000
        #expect((0..<2).map { _ in world.isRecorded(nil) } == [true, false])
        world.now += 3_600_000_000_000
        #expect((0..<3).map { _ in world.isRecorded(nil) } == [true, true, false])
        // One that is left out says so to those behind us.
        var fields = Self.fields(nil)
        _ = world.begin(&fields)
        #expect(fields.traceContext?.isSampled == false)
        #expect(world.tracing.limited == 6)
    }

    // MARK: What is told

    private static func record(
        method: String = "GET", path: String = "/a?secret=1", status: Int? = 200, outcome: AccessOutcome = .ok
    ) -> AccessRecord {
        AccessRecord(
            serverName: "public", tokenHint: "12345678...", requestID: 7, externalID: "x-1", method: method,
            path: path, status: status, requestBytes: 3, responseBytes: 5,
            timing: RequestTiming(whole: 1_000_000_000, firstByte: 900_000_000), callerAddress: "192.0.2.1",
            outcome: outcome)
    }

    private static func traces(_ record: AccessRecord, parent: String? = parent + "-01") throws -> [String:
        Any]
    {
        let world = World(TraceSampling())
        var fields = Self.fields(parent)
        let trace = try #require(world.begin(&fields))
        let request = TracedRequest(record, of: trace, endedAt: 1_700_000_001_000_000_000)
        var ids = TraceIDs(seed: (4, 3, 2, 1))
        let traces = OTLPTraces([request], service: "edge", software: "wstunnel/1.2", ids: &ids)
        let data = try JSONEncoder().encode(traces)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private static func spans(_ record: AccessRecord, parent: String? = parent + "-01") throws -> [[String:
        Any]]
    {
        let traces = try traces(record, parent: parent)
        let resources = try #require(traces["resourceSpans"] as? [[String: Any]])
        let scopes = try #require(resources.first?["scopeSpans"] as? [[String: Any]])
        return try #require(scopes.first?["spans"] as? [[String: Any]])
    }

    private static func attributes(of span: [String: Any]) -> [String: String] {
        let list = span["attributes"] as? [[String: Any]] ?? []
        return Dictionary(
            uniqueKeysWithValues: list.map { attribute in
                let value = attribute["value"] as? [String: String]
                return (attribute["key"] as? String ?? "", value?.values.first ?? "")
            })
    }

    @Test func aRequestIsASpan() throws {
        let spans = try Self.spans(Self.record())
        #expect(spans.count == 1)
        let span = try #require(spans.first)
        #expect(span["traceId"] as? String == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(span["parentSpanId"] as? String == "00f067aa0ba902b7")
        #expect(span["name"] as? String == "GET")
        #expect(span["kind"] as? Int == 2)
        #expect(span["startTimeUnixNano"] as? String == "1700000000000000000")
        #expect(span["endTimeUnixNano"] as? String == "1700000001000000000")
        #expect(span["status"] == nil)
        let attributes = Self.attributes(of: span)
        #expect(attributes["http.request.method"] == "GET")
        #expect(attributes["url.path"] == "/a")
        #expect(attributes["http.response.status_code"] == "200")
        #expect(attributes["client.address"] == "192.0.2.1")
        #expect(attributes["wstunnel.server"] == "public")
        #expect(attributes["wstunnel.token.hint"] == "12345678...")
    }

    @Test func itsPartsAreSpansBelowIt() throws {
        var record = Self.record()
        record.timing.queue = 100_000_000
        record.timing.split(800_000_000, originMicroseconds: 600_000)
        let spans = try Self.spans(record)
        #expect(spans.map { $0["name"] as? String } == ["GET", "queue", "tunnel", "origin"])
        let ids = spans.map { $0["spanId"] as? String }
        #expect(spans.map { $0["parentSpanId"] as? String } == ["00f067aa0ba902b7", ids[0], ids[0], ids[2]])
        #expect(Set(ids).count == 4)
        let times = spans.map { span in
            ["startTimeUnixNano", "endTimeUnixNano"].map {
                (span[$0] as? String)?.dropFirst(9).dropLast(6) ?? ""
            }
        }
        #expect(times == [["0000", "1000"], ["0000", "0100"], ["0100", "0900"], ["0200", "0800"]])
        // Of a tunnel that tells no time of its own.
        (record.timing.tunnel, record.timing.origin) = (nil, nil)
        #expect(try Self.spans(record).map { $0["name"] as? String } == ["GET", "queue"])
    }

    private static let ends: [(status: Int?, outcome: AccessOutcome, type: String?)] = [
        (502, .ok, "502"), (200, .originFailed, "origin-failed"), (nil, .timeout, "timeout"),
        (504, .noTunnel, "504"), (404, .ok, nil), (nil, .callerLeft, nil),
    ]

    @Test(arguments: ends.indices)
    func whatFailedIsAnError(index: Int) throws {
        let (status, outcome, type) = Self.ends[index]
        let span = try #require(try Self.spans(Self.record(status: status, outcome: outcome)).first)
        #expect((span["status"] as? [String: Int])?["code"] == (type == nil ? nil : 2))
        #expect(Self.attributes(of: span)["error.type"] == type)
    }

    @Test func whatStrangersMakeUpIsBounded() throws {
        let long = String(repeating: "ä", count: 5000)
        let record = Self.record(method: String(repeating: "M", count: 5000), path: "/" + long)
        let span = try #require(try Self.spans(record, parent: nil).first)
        #expect(span["name"] as? String == "HTTP")
        #expect(span["parentSpanId"] == nil)
        let attributes = Self.attributes(of: span)
        #expect(attributes["http.request.method"] == "_OTHER")
        #expect(attributes["http.request.method_original"]?.utf8.count == 32)
        #expect(attributes["url.path"] == "/" + long.prefix(511))
    }

    @Test func aRequestWaitsForItsCollectorInARing() throws {
        let world = World(TraceSampling(spansPerSecond: 1_000_000))
        for _ in 0..<3000 {
            var fields = HeaderFields()
            let trace = try #require(world.begin(&fields))
            world.tracing.add(Self.record(), of: trace)
        }
        let batch = world.tracing.requests.read(after: 0)
        #expect(batch.elements.count == 2048)
        #expect(batch.missed == 952)
        #expect(batch.elements.allSatisfy { $0.record.trace == nil && $0.record.path == "/a" })
    }

    // MARK: Where else the trace is told

    @Test func theTraceIsInTheAccessLog() throws {
        var record = Self.record()
        record.trace = TraceContext(Self.parent + "-01").map { RequestTrace($0) }
        let line = String(decoding: record.line(format: .logfmt, at: .now()), as: UTF8.self)
        #expect(line.contains(" trace.id=4bf92f3577b34da6a3ce929d0e0e4736 "))
        #expect(EndedRequest(record, at: 0).snapshot.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        record.trace = nil
        #expect(
            !String(decoding: record.line(format: .logfmt, at: .now()), as: UTF8.self).contains("trace.id"))
    }
}
