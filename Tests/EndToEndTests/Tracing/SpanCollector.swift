import Foundation
import Synchronization
import TestSupport

/// A collector that takes OTLP over HTTP and holds it to the shape of its JSON.
final class SpanCollector: Sendable {
    /// A span as it came.
    struct Span: Sendable {
        let traceID: String
        let id: String
        let parent: String?
        let name: String
        let kind: Int
        let isError: Bool
        let attributes: [String: String]
    }

    private struct State: Sendable {
        var answers: [(status: Int, retryAfter: String?)]
        var spans: [Span] = []
        var bodies: [String] = []
        var heads: [String] = []
        var faults: [String] = []
    }

    private let state: Mutex<State>
    private let posts = WaitableCounter()
    private let accepted = WaitableCounter()
    private let origin: Mutex<ScriptedOrigin?>
    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }

    /// - Parameters:
    ///   - port: to listen on; 0 for any.
    ///   - answers: to the first batches; all others are taken.
    init(port: Int = 0, answers: [(status: Int, retryAfter: String?)] = []) throws {
        state = Mutex(State(answers: answers))
        origin = Mutex(nil)
        let relay = Relay()
        let origin = try ScriptedOrigin(port: port) { connection in
            while let request = try connection.readRequest() {
                let body = try connection.readBody(of: request)
                let answer = relay.collector.withLock { $0?.take(request, body) } ?? (503, nil)
                try connection.respond(
                    answer.0, fields: answer.1.map { [("Retry-After", $0)] } ?? [], text: "{}")
            }
        }
        self.port = origin.port
        self.origin.withLock { $0 = origin }
        relay.collector.withLock { $0 = self }
    }

    /// A script is there before the collector.
    private final class Relay: Sendable {
        let collector = Mutex<SpanCollector?>(nil)
    }

    func close() { origin.withLock { $0?.close() } }

    private func take(_ request: MessageHead, _ body: [UInt8]) -> (Int, String?) {
        let answer = state.withLock { state -> (Int, String?) in
            state.heads.append("\(request)")
            let answer = state.answers.isEmpty ? (status: 200, retryAfter: nil) : state.answers.removeFirst()
            if request.method != "POST" || request.target != "/v1/traces" {
                state.faults.append("\(request.method) \(request.target)")
            }
            if request["Content-Type"] != "application/json" { state.faults.append("no JSON by its type") }
            if answer.status == 200 {
                state.bodies.append(String(decoding: body, as: UTF8.self))
                do {
                    state.spans += try OTLPShape.spans(in: body)
                } catch {
                    state.faults.append("\(error)")
                }
            }
            return (answer.status, answer.retryAfter)
        }
        posts.add(1)
        if answer.0 == 200 { accepted.add(1) }
        return answer
    }

    /// What was wrong with what came.
    var faults: [String] { state.withLock { $0.faults } }
    /// All that came, as it came.
    var text: String { state.withLock { $0.bodies.joined() } }
    var bodies: [String] { state.withLock { $0.bodies } }
    var heads: [String] { state.withLock { $0.heads } }

    /// Waits for as many batches, taken or not.
    func waitForPosts(_ count: Int) throws {
        try posts.wait(for: count, within: .seconds(20), what: "batches at the collector")
    }

    /// Waits until that many spans have the name.
    func spans(named name: String, _ count: Int = 1) throws -> [Span] {
        var batches = accepted.value
        while true {
            let spans = state.withLock { $0.spans.filter { $0.name == name } }
            if spans.count >= count { return spans }
            batches += 1
            try accepted.wait(for: batches, within: .seconds(20), what: "a batch with \(name)")
        }
    }
}

/// What OTLP's JSON may hold: fields of opentelemetry-proto by their JSON names, each of its type.
enum OTLPShape {
    struct Fault: Error { let text: String }

    static func spans(in body: [UInt8]) throws -> [SpanCollector.Span] {
        let root = try object(try JSONSerialization.jsonObject(with: Data(body)), ["resourceSpans"])
        return try list(root["resourceSpans"]).flatMap { entry in
            let resourceSpans = try object(entry, ["resource", "scopeSpans"])
            let resource = try attributes(try object(resourceSpans["resource"], ["attributes"])["attributes"])
            guard resource["service.name"] != nil else { throw Fault(text: "no service.name") }
            return try list(resourceSpans["scopeSpans"]).flatMap { entry in
                let scopeSpans = try object(entry, ["scope", "spans"])
                _ = try object(scopeSpans["scope"], ["name", "version"])
                return try list(scopeSpans["spans"]).map(span)
            }
        }
    }

    private static func span(_ value: Any) throws -> SpanCollector.Span {
        let span = try object(
            value,
            [
                "traceId", "spanId", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano",
                "endTimeUnixNano", "attributes", "status",
            ])
        let status = try span["status"].map { try object($0, ["code", "message"]) }
        guard let start = UInt64(try text(span["startTimeUnixNano"])),
            let end = UInt64(try text(span["endTimeUnixNano"])), start <= end,
            abs(Double(end) / 1e9 - Date().timeIntervalSince1970) < 600, let kind = span["kind"] as? Int,
            (1...5).contains(kind)
        else { throw Fault(text: "times or kind of \(span)") }
        return SpanCollector.Span(
            traceID: try hexadecimal(span["traceId"], 32), id: try hexadecimal(span["spanId"], 16),
            parent: try span["parentSpanId"].map { try hexadecimal($0, 16) }, name: try text(span["name"]),
            kind: kind, isError: status?["code"] as? Int == 2,
            attributes: try attributes(span["attributes"]))
    }

    private static func attributes(_ value: Any?) throws -> [String: String] {
        var attributes: [String: String] = [:]
        for entry in try list(value) {
            let attribute = try object(entry, ["key", "value"])
            let content = try object(attribute["value"], ["stringValue", "intValue"])
            guard content.count == 1, let value = content.first else { throw Fault(text: "\(attribute)") }
            let words = try text(value.value)
            guard value.key == "stringValue" || Int64(words) != nil,
                attributes.updateValue(words, forKey: try text(attribute["key"])) == nil
            else { throw Fault(text: "\(attribute)") }
        }
        return attributes
    }

    private static func object(_ value: Any?, _ keys: Set<String>) throws -> [String: Any] {
        guard let object = value as? [String: Any], keys.isSuperset(of: object.keys) else {
            throw Fault(text: "no object with \(keys.sorted()): \(value ?? "nothing")")
        }
        return object
    }

    private static func list(_ value: Any?) throws -> [Any] {
        guard let list = value as? [Any] else { throw Fault(text: "no list: \(value ?? "nothing")") }
        return list
    }

    private static func text(_ value: Any?) throws -> String {
        guard let text = value as? String else { throw Fault(text: "no text: \(value ?? "nothing")") }
        return text
    }

    private static func hexadecimal(_ value: Any?, _ digits: Int) throws -> String {
        let text = try text(value)
        guard text.utf8.count == digits, text.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }),
            text.contains(where: { $0 != "0" })
        else { throw Fault(text: "no id: \(text)") }
        return text
    }
}
