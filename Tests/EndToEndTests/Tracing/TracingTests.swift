import Foundation
import TestSupport
import Testing

/// `traceparent` on its way, and spans at a collector.
@Suite(.timeLimit(.minutes(2))) struct TracingTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"

    /// A server and a client, and an origin that answers with the head that came.
    private struct World {
        let server: AgentProcess
        let client: AgentProcess
        let origin: ScriptedOrigin
        let port: Int

        /// - Parameter tracing: lines of the server's section; nil for none.
        init(_ tracing: [String]?, serverOptions: [String] = []) throws {
            origin = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    try connection.respond(text: "\(request)")
                }
            }
            let section = tracing.map {
                $0.isEmpty ? "tracing: {}\n" : "tracing:\n" + $0.map { "  \($0)\n" }.joined()
            }
            server = try AgentProcess(configuration: Configuration.server(serverOptions) + (section ?? ""))
            port = try server.port(ofServer: "public")
            client = try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(port)", to: origin.url, options: ["connections: 1"]))
            try server.waitForSessions(1)
        }

        /// - Returns: the fields of that name that the origin got.
        func ask(_ fields: [(String, String)], _ target: String = "/") throws -> MessageHeadText {
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            let answer = try connection.exchange(
                "GET", target, fields: [("X-Token", TunnelPair.token)] + fields, body: nil)
            return MessageHeadText(status: answer.status, text: answer.text)
        }

        var accessLines: [LogfmtLine] {
            server.log.compactMap { try? LogfmtLine($0) }.filter { $0["logger"] == "access" }
        }
    }

    private struct MessageHeadText {
        let status: Int
        let text: String

        func values(_ name: String) -> [String] {
            text.split(separator: "\n").compactMap { line in
                let line = line.filter { $0 != "\r" }
                guard line.lowercased().hasPrefix("\(name): ") else { return nil }
                return String(line.dropFirst(name.count + 2))
            }
        }
    }

    // MARK: What is passed on

    @Test(arguments: [
        "00-\(trace)-\(span)-01", "00-\(trace)-\(span)-00", "00-\(trace.uppercased())-\(span)-01",
    ])
    func withoutTracingItGoesAsItCame(parent: String) throws {
        let world = try World(nil)
        let head = try world.ask([("traceparent", parent), ("tracestate", "a=1"), ("tracestate", "b=2")])
        #expect(head.values("traceparent") == [parent])
        #expect(head.values("tracestate") == ["a=1", "b=2"])
        let line = try world.server.waitForLog("Request")
        #expect(line["trace.id"] == (parent.contains(Self.trace) ? Self.trace : nil))
        #expect(try world.ask([]).values("traceparent") == [])
    }

    @Test func whatIsMalformedIsReplaced() throws {
        let collector = try SpanCollector()
        let world = try World(["collector: \(collector.url)"])
        let good = "00-\(Self.trace)-\(Self.span)-01"
        let hostile: [[(String, String)]] = [
            [], [("traceparent", "00-\(Self.trace.uppercased())-\(Self.span)-01")],
            [("traceparent", good), ("traceparent", good)], [("traceparent", good + "-more")],
            [("traceparent", String(repeating: "0", count: 4000))],
            [("traceparent", "00-\(String(repeating: "0", count: 32))-\(Self.span)-01")],
            [("traceparent", "00-\(Self.trace)-\(String(repeating: "0", count: 16))-01")],
            [("traceparent", "ff-\(Self.trace)-\(Self.span)-01")], [("traceparent", "")],
        ]
        var traces: Set<String> = []
        for fields in hostile {
            let head = try world.ask(fields + [("tracestate", "a=1")])
            let parent = try #require(head.values("traceparent").first)
            #expect(head.values("traceparent").count == 1)
            #expect(head.values("tracestate") == [])
            #expect(parent.wholeMatch(of: /00-[0-9a-f]{32}-[0-9a-f]{16}-03/) != nil, "\(parent)")
            #expect(!parent.contains(Self.trace))
            traces.insert(String(parent.dropFirst(3).prefix(32)))
        }
        #expect(traces.count == hostile.count)
        let spans = try collector.spans(named: "GET", hostile.count)
        #expect(Set(spans.map(\.traceID)) == traces)
        #expect(spans.allSatisfy { $0.parent == nil })
        #expect(collector.faults == [])
    }

    // MARK: Spans

    @Test func aRequestIsASpanBetweenCallerAndOrigin() throws {
        let collector = try SpanCollector()
        let world = try World([
            "collector: \(collector.url)", "headers: [{ name: X-Key, value: key-of-the-collector }]",
            "service-name: edge",
        ])
        let head = try world.ask(
            [
                ("traceparent", "00-\(Self.trace)-\(Self.span)-01"), ("tracestate", "a=1"),
                ("Authorization", "Bearer secret-1"), ("Cookie", "secret-2"),
            ], "/page?key=secret-3")
        let span = try #require(try collector.spans(named: "GET").first)
        #expect(head.values("traceparent") == ["00-\(Self.trace)-\(span.id)-01"])
        #expect(head.values("tracestate") == ["a=1"])
        #expect(head.values("authorization") == ["Bearer secret-1"])
        #expect(span.traceID == Self.trace && span.parent == Self.span && span.kind == 2 && !span.isError)
        #expect(span.attributes["url.path"] == "/page")
        #expect(span.attributes["http.response.status_code"] == "200")
        #expect(span.attributes["client.address"] == "127.0.0.1")
        #expect(span.attributes["wstunnel.server"] == "public")
        #expect(span.attributes["wstunnel.token.hint"] == "\(TunnelPair.token.prefix(8))...")
        #expect(!collector.text.contains("secret-"))
        #expect(!collector.text.contains(TunnelPair.token))
        #expect(collector.text.contains(#""stringValue":"edge""#))
        #expect(collector.heads.allSatisfy { $0.contains("key-of-the-collector") })
        #expect(try world.server.waitForLog("Request")["trace.id"] == Self.trace)
        #expect(collector.faults == [])
        // What nobody wants to keep has none.
        let parent = "00-\(Self.trace)-\(Self.span)-00"
        #expect(try world.ask([("traceparent", parent)]).values("traceparent") == [parent])
        _ = try world.ask([], "/last")
        let all = try collector.spans(named: "GET", 2)
        #expect(all.map { $0.attributes["url.path"] } == ["/page", "/last"])
    }

    @Test func anAnswerThatFailsIsAnError() throws {
        let collector = try SpanCollector()
        let world = try World(["collector: \(collector.url)"], serverOptions: ["queue-timeout: 0"])
        world.origin.close()
        #expect(try world.ask([], "/gone").status == 502)
        let span = try #require(try collector.spans(named: "GET").first)
        #expect(span.isError && span.attributes["error.type"] == "502")
        #expect(collector.faults == [])
    }

    @Test func theLastSpansGoBeforeTheEnd() throws {
        let collector = try SpanCollector()
        let world = try World(["collector: \(collector.url)"])
        for number in 0..<20 { _ = try world.ask([], "/\(number)") }
        #expect(try world.server.stop() == .code(0))
        let paths = try collector.spans(named: "GET", 20).map { $0.attributes["url.path"] }
        #expect(Set(paths).count == 20)
    }

    // MARK: Bounds

    @Test func strangersMakeNoMoreSpansThanThereMayBe() throws {
        let collector = try SpanCollector()
        let world = try World(["collector: \(collector.url)", "max-spans-per-second: 4"])
        let sampled = "00-\(Self.trace)-\(Self.span)-01"
        let heads = try (0..<20).map { _ in try world.ask([("traceparent", sampled)]) }
        let untouched = heads.count { $0.values("traceparent") == [sampled] }
        #expect(heads.allSatisfy { $0.status == 200 })
        #expect(untouched > 0 && untouched < 20)
        #expect(try collector.spans(named: "GET", 20 - untouched).count == 20 - untouched)
        let status = try status(of: world.server)
        #expect(status.contains("\(untouched) requests left out by max-spans-per-second"), "\(status)")
    }

    private func status(of agent: AgentProcess) throws -> String {
        let process = try wstunnel(["status", "--config", agent.configurationPath])
        _ = try process.waitForExit(within: .seconds(20))
        // A terminal's lines are as long as they may be; these are broken between words.
        return process.standardOutput.lines.joined(separator: " ").split(separator: " ").joined(
            separator: " ")
    }

    // MARK: Collectors in trouble

    @Test func aCollectorThatIsAwayHoldsNobodyUp() throws {
        let port = try freePort()
        let world = try World(["collector: http://127.0.0.1:\(port)"])
        for number in 0..<10 { #expect(try world.ask([], "/\(number)").status == 200) }
        let line = try world.server.waitForLog("The collector takes no spans")
        #expect(line["error.code"] == "refused")
        #expect(try status(of: world.server).contains("failing: "))
        // What waited comes when it is back.
        let collector = try SpanCollector(port: port)
        #expect(try collector.spans(named: "GET", 10).count == 10)
        try world.server.waitForLog("The collector takes spans again")
        #expect(!(try status(of: world.server)).contains("failing: "))
        #expect(world.server.log.count { $0.contains("The collector takes no spans") } == 1)
    }

    @Test(arguments: [429, 503])
    func aCollectorThatIsBusyIsAskedAgain(status: Int) throws {
        let collector = try SpanCollector(answers: [(status, "1")])
        let world = try World(["collector: \(collector.url)"])
        _ = try world.ask([], "/kept")
        #expect(try collector.spans(named: "GET").map { $0.attributes["url.path"] } == ["/kept"])
        #expect(collector.heads.count == 2)
    }

    @Test func whatACollectorRefusesIsNotSentAgain() throws {
        let collector = try SpanCollector(answers: [(401, nil)])
        let world = try World(["collector: \(collector.url)"])
        _ = try world.ask([], "/refused")
        try collector.waitForPosts(1)
        _ = try world.ask([], "/taken")
        #expect(try collector.spans(named: "GET").map { $0.attributes["url.path"] } == ["/taken"])
        #expect(try status(of: world.server).contains("1 requests lost"))
    }

    @Test func aReloadBeginsAndEndsIt() throws {
        let collectors = [try SpanCollector(), try SpanCollector()]
        let origin = try ScriptedOrigin.echo()
        let port = try freePort()
        let rest = """
            servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
            tunnels:
              - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin.url)", token: \(TunnelPair.token), connections: 1 }

            """
        let world = try ReloadedAgent(rest)
        try world.agent.waitForSession(ofTunnel: "web")
        func ask(_ target: String) throws {
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            let answer = try connection.exchange(
                "GET", target, fields: [("X-Token", TunnelPair.token)], body: nil)
            #expect(answer.status == 200)
        }
        try ask("/before")
        #expect(!(try status(of: world.agent)).contains("tracing to "))
        for (index, collector) in collectors.enumerated() {
            #expect(try world.apply("tracing: { collector: \"\(collector.url)\" }\n" + rest) == .applied)
            try ask("/\(index)")
            let spans = try collector.spans(named: "GET")
            #expect(spans.map { $0.attributes["url.path"] } == ["/\(index)"])
            #expect(collector.faults == [])
        }
        #expect(try status(of: world.agent).contains("tracing to \(collectors[1].url): "))
        #expect(try world.apply(rest) == .applied)
        try ask("/after")
        #expect(!(try status(of: world.agent)).contains("tracing to "))
        #expect(try world.agent.stop() == .code(0))
        #expect(!collectors.contains { $0.text.contains("/before") || $0.text.contains("/after") })
    }

    /// A judge who is not of our making, where he is there: `pip install opentelemetry-proto`.
    @Test(.enabled(if: Self.hasProtobuf)) func whatIsSentIsWhatOTLPSays() throws {
        let collector = try SpanCollector()
        let world = try World(["collector: \(collector.url)"])
        _ = try world.ask([], "/judged")
        let id = try #require(try collector.spans(named: "GET").first).traceID
        let folder = try TemporaryFolder()
        let script = """
            import sys, json, base64
            from google.protobuf import json_format
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as R
            body = json.load(open(sys.argv[1]))
            # Ids are hexadecimal there, against the rule of protobuf.
            for r in body["resourceSpans"]:
                for s in r["scopeSpans"]:
                    for x in s["spans"]:
                        for k in ("traceId", "spanId", "parentSpanId"):
                            if k in x: x[k] = base64.b64encode(bytes.fromhex(x[k])).decode()
            r = json_format.ParseDict(body, R())
            for a in r.resource_spans:
                for b in a.scope_spans:
                    for s in b.spans: print(s.name, s.trace_id.hex(), s.kind, s.end_time_unix_nano > s.start_time_unix_nano)
            """
        let (program, body) = (
            try folder.write(script, to: "judge.py"), try folder.write(collector.bodies[0], to: "body.json")
        )
        let judge = try ChildProcess(["/usr/bin/python3", program, body])
        #expect(try judge.waitForExit(within: .seconds(20)) == .code(0))
        #expect(judge.standardOutput.lines.contains("GET \(id) 2 True"), "\(judge.standardOutput.lines)")
    }

    private static let hasProtobuf: Bool = {
        let words = [
            "/usr/bin/python3", "-c", "import opentelemetry.proto.collector.trace.v1.trace_service_pb2",
        ]
        let exit = try? ChildProcess(words).waitForExit(within: .seconds(20))
        return exit == .code(0)
    }()
}
