import HTTPMessage

/// The keys of `tracing`.
enum TracingKeys {
    static let tracing = KeyDeclaration(
        "tracing", .mapping(.tracing), "Spans of requests, for a collector of OpenTelemetry; {} is enough.")

    /// Where a collector takes traces, behind its own path.
    private static let tracesPath = TracingConfiguration.tracesPath

    static let collector = ScalarKey<OriginURL>(
        declaration: KeyDeclaration(
            "collector", .url(["http", "https"]), default: "http://127.0.0.1:4318",
            "Where the collector takes OTLP over HTTP; /v1/traces goes behind it."),
        defaultValue: TracingConfiguration.defaultCollector,
        parse: { value throws(ValueFault) in
            guard ["http", "https"].contains(URLText.scheme(of: value.text)?.lowercased()),
                case .web(var url) = try OriginTarget.parse(value.text)
            else {
                throw ValueFault(
                    "\(shownURL(value.text)) is no http:// or https:// URL",
                    advice: "write one like http://127.0.0.1:4318")
            }
            // Some write down the whole of it.
            if url.basePath.hasSuffix(tracesPath) { url.basePath.removeLast(tracesPath.count) }
            return url
        })
    static let headers = KeyDeclaration(
        "headers", .list(.tracingHeader), "Header fields that the collector asks for, such as a key.")
    static let headerName = ScalarKey<String?>.optional(
        "name", .text, "The field's name, such as Authorization.", fieldName)
    static let headerValue = SecretKeys("value", "Its value.")
    static let serviceName = ScalarKey<String>.text(
        "service-name", default: "wstunnel", "The name of the service in traces.", serviceName)
    static let sample = ScalarKey<Double>(
        declaration: KeyDeclaration(
            "sample", .text, default: "1.0",
            "How many of the requests without a traceparent are traced, from 0 to 1: 0.1 is every tenth."),
        defaultValue: 1, parse: ratio)
    static let callersMaySample = ScalarKey<Bool>.boolean(
        "callers-may-sample", default: true,
        "Whether the sampled flag of any caller's traceparent counts; false: of trusted-proxies alone.")
    static let spansPerSecond = ScalarKey<Int>.integer(
        "max-spans-per-second", 4...1_000_000, default: 1000,
        "Most spans of a second, whoever asks for them; a request has up to four.")

    static let all =
        [
            collector.declaration, headers, serviceName.declaration, sample.declaration,
            callersMaySample.declaration, spansPerSecond.declaration,
        ] + [
            Keys.insecure.declaration, Keys.certFile.declaration, TLSKeys.pins,
            TLSKeys.serverName.declaration,
        ]

    static let ofHeader = [headerName.declaration] + headerValue.declarations

    /// Fields that frame the message are ours.
    private static let ours: Set<String> = [
        "connection", "content-encoding", "content-length", "content-type", "expect", "host", "te",
        "trailer", "transfer-encoding", "upgrade",
    ]

    private static func fieldName(_ text: String) throws(ValueFault) -> String {
        guard FieldChanges.isName(text) else {
            throw ValueFault(
                "\(Quotation.of(text)) is no name of a field", advice: "write one like Authorization")
        }
        guard !ours.contains(text.lowercased()) else {
            throw ValueFault(
                "\(Quotation.of(text)) is not to be set: wstunnel sees to it itself", advice: "remove it")
        }
        return text
    }

    private static func serviceName(_ text: String) throws(ValueFault) -> String {
        guard (1...255).contains(text.utf8.count), !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
        else {
            throw ValueFault(
                "\(Quotation.of(text)) is no name of a service", advice: "write 1 to 255 bytes of text")
        }
        return text
    }

    private static func ratio(_ value: ValueText) throws(ValueFault) -> Double {
        let isPlain = value.text.utf8.allSatisfy { "0123456789.e-".utf8.contains($0) }
        guard isPlain, let ratio = Double(value.text), (0...1).contains(ratio) else {
            throw ValueFault(
                "\(Quotation.of(value.text)) is no share", advice: "write a number from 0 to 1, such as 0.1")
        }
        return ratio
    }
}
