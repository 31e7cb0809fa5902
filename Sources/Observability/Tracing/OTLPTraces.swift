package import HTTPMessage

/// Requests as an `ExportTraceServiceRequest` in OTLP's JSON: ids in hexadecimal, 64-bit numbers as text, enums as numbers
/// (opentelemetry-proto, "JSON Protobuf Encoding"). Attributes by OpenTelemetry's semantic conventions for HTTP servers.
package struct OTLPTraces: Encodable, Sendable {
    let resourceSpans: [ResourceSpans]

    /// - Parameters:
    ///   - service: who tells.
    ///   - software: program and version, with a `/` between.
    ///   - ids: of the spans of queue, tunnel and origin.
    package init(_ requests: [TracedRequest], service: String, software: String, ids: inout TraceIDs) {
        let parts = software.split(separator: "/", maxSplits: 1).map(String.init)
        let spans = requests.flatMap { Self.spans(of: $0, ids: &ids) }
        resourceSpans = [
            ResourceSpans(
                resource: Resource(attributes: [
                    Attribute("service.name", service),
                    Attribute("service.version", parts.count > 1 ? parts[1] : software),
                ]),
                scopeSpans: [ScopeSpans(scope: Scope(name: "wstunnel"), spans: spans)])
        ]
    }

    /// How many spans there are.
    package var count: Int {
        resourceSpans.reduce(0) { $0 + $1.scopeSpans.reduce(0) { $0 + $1.spans.count } }
    }

    struct ResourceSpans: Encodable, Sendable {
        let resource: Resource
        let scopeSpans: [ScopeSpans]
    }

    struct Resource: Encodable, Sendable {
        let attributes: [Attribute]
    }

    struct ScopeSpans: Encodable, Sendable {
        let scope: Scope
        let spans: [Span]
    }

    struct Scope: Encodable, Sendable {
        let name: String
    }

    struct Span: Encodable, Sendable {
        /// `SpanKind`.
        enum Kind: Int, Encodable, Sendable {
            case `internal` = 1
            case server = 2
        }

        struct Status: Encodable, Sendable {
            /// `STATUS_CODE_ERROR`.
            var code = 2
        }

        let traceId: String
        let spanId: String
        let parentSpanId: String?
        let flags: UInt32
        let name: String
        let kind: Kind
        let startTimeUnixNano: String
        let endTimeUnixNano: String
        let attributes: [Attribute]
        let status: Status?
    }

    struct Attribute: Encodable, Sendable {
        enum Value: Encodable, Sendable {
            case text(String)
            case integer(Int)

            private enum CodingKeys: String, CodingKey { case stringValue, intValue }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                switch self {
                case .text(let text): try container.encode(text, forKey: .stringValue)
                case .integer(let number): try container.encode("\(number)", forKey: .intValue)
                }
            }
        }

        let key: String
        let value: Value

        init(_ key: String, _ value: String) {
            self.key = key
            self.value = .text(value)
        }

        init(_ key: String, _ value: Int) {
            self.key = key
            self.value = .integer(value)
        }
    }
}

extension OTLPTraces {
    /// Methods that a span may be named after; any other is `_OTHER`, as strangers make up what they like.
    private static let knownMethods: Set<String> = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE",
    ]

    /// The request's own, and of where its time went those that are known.
    private static func spans(of request: TracedRequest, ids: inout TraceIDs) -> [Span] {
        let record = request.record
        let start = request.endedAt &- min(nanoseconds(record.duration), request.endedAt)
        let isKnown = knownMethods.contains(record.method)
        var spans: [Span] = []
        func add(
            _ name: String, _ kind: Span.Kind = .internal, id: UInt64, parent: UInt64?,
            from start: UInt64, lasting: UInt64, _ attributes: [Attribute] = [], _ status: Span.Status? = nil
        ) {
            spans.append(
                Span(
                    traceId: request.context.traceID, spanId: TraceContext.text(ofSpan: id),
                    parentSpanId: parent.map(TraceContext.text(ofSpan:)),
                    flags: UInt32(request.context.flags), name: name, kind: kind,
                    startTimeUnixNano: "\(start)", endTimeUnixNano: "\(start &+ lasting)",
                    attributes: attributes, status: status))
        }
        add(
            isKnown ? record.method : "HTTP", .server, id: request.context.spanID, parent: request.parent,
            from: start, lasting: nanoseconds(record.duration), attributes(of: request, isKnown: isKnown),
            record.hasFailed ? Span.Status() : nil)
        let parts = record.timing.times
        let queue = nanoseconds(parts.queue ?? .zero)
        if parts.queue != nil {
            add("queue", id: ids.span(), parent: request.context.spanID, from: start, lasting: queue)
        }
        guard let way = parts.tunnel, let origin = parts.origin else { return spans }
        // The origin's time lies within the tunnel's; where, nobody knows: the way there is taken to be as long as that back.
        let tunnelID = ids.span()
        add(
            "tunnel", id: tunnelID, parent: request.context.spanID, from: start &+ queue,
            lasting: nanoseconds(way) &+ nanoseconds(origin))
        add(
            "origin", id: ids.span(), parent: tunnelID, from: start &+ queue &+ nanoseconds(way) / 2,
            lasting: nanoseconds(origin))
        return spans
    }

    private static func attributes(of request: TracedRequest, isKnown: Bool) -> [Attribute] {
        let record = request.record
        var attributes = [
            Attribute("http.request.method", isKnown ? record.method : "_OTHER"),
            Attribute("url.path", record.path), Attribute("url.scheme", request.isSecure ? "https" : "http"),
            Attribute("client.address", record.callerAddress),
            Attribute("http.request.body.size", record.requestBytes),
            Attribute("http.response.body.size", record.responseBytes),
            Attribute("wstunnel.server", record.serverName),
            Attribute("wstunnel.request.id", "\(record.requestID)"),
            Attribute("wstunnel.outcome", record.outcome.rawValue),
        ]
        if !isKnown { attributes.append(Attribute("http.request.method_original", record.method)) }
        if let status = record.status { attributes.append(Attribute("http.response.status_code", status)) }
        if let hint = record.tokenHint { attributes.append(Attribute("wstunnel.token.hint", hint)) }
        if let id = record.externalID { attributes.append(Attribute("wstunnel.x-request-id", id)) }
        if record.hasFailed {
            let isStatus = (record.status ?? 0) >= 500
            attributes.append(
                Attribute("error.type", isStatus ? "\(record.status ?? 0)" : record.outcome.rawValue))
        }
        return attributes
    }

    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}

extension AccessRecord {
    /// Whether the fault lies on our side of the caller: the answer says so, or it did not come whole.
    fileprivate var hasFailed: Bool {
        if let status, status >= 500 { return true }
        switch outcome {
        case .originFailed, .tunnelLost, .noTunnel, .timeout, .shutdown: return true
        case .ok, .answeredHere, .callerLeft, .callerFailed: return false
        }
    }
}
