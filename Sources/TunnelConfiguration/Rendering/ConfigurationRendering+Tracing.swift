/// `tracing`.
extension ConfigurationRendering {
    static func write(_ rules: TracingConfiguration?, to text: inout ConfigurationText) {
        guard let rules else { return }
        text.line(0, "\(TracingKeys.tracing.name):")
        text.entry(2, TracingKeys.collector, text: OriginTarget.web(rules.collector).shown)
        text.line(2, "\(TracingKeys.headers.name):" + (rules.headers.isEmpty ? " []" : ""))
        for header in rules.headers {
            text.entry(4, "- \(TracingKeys.headerName.declaration.name)", text: header.name)
            text.secret(6, TracingKeys.headerValue.literal)
        }
        text.entry(2, TracingKeys.serviceName, text: rules.serviceName)
        text.entry(2, TracingKeys.sample, plain: rules.sample)
        text.entry(2, TracingKeys.callersMaySample, plain: rules.callersMaySample)
        text.entry(2, TracingKeys.spansPerSecond, plain: rules.spansPerSecond)
        write(rules.trust, 2, to: &text)
    }
}
