import HTTPMessage

/// `tracing`.
extension MappingReader {
    /// - Returns: nil where there is no such section, or none that can be read.
    func tracing() -> TracingConfiguration? {
        guard let field = field(TracingKeys.tracing),
            let reader = MappingReader(field, .tracing, isOffline: isOffline, pass: pass)
        else { return nil }
        return reader.tracingRules()
    }

    private func tracingRules() -> TracingConfiguration {
        let rules = TracingConfiguration(
            collector: value(TracingKeys.collector), headers: tracingHeaders(),
            serviceName: value(TracingKeys.serviceName), sample: value(TracingKeys.sample),
            callersMaySample: value(TracingKeys.callersMaySample),
            spansPerSecond: value(TracingKeys.spansPerSecond), trust: peerTrust())
        if !rules.headers.isEmpty, !rules.collector.isSecure,
            !AddressRange.isLoopback(rules.collector.host), let field = field(TracingKeys.headers)
        {
            pass.warning(
                at: field.place, field.path,
                "the collector is reached by plain HTTP: who can listen in has these values",
                advice: "reach it by https://")
        }
        return rules
    }

    private func tracingHeaders() -> [TracingConfiguration.Header] {
        let items = items(TracingKeys.headers)
        if items.count > TracingConfiguration.mostHeaders, let field = field(TracingKeys.headers) {
            pass.error(
                at: field.place, field.path, "\(items.count) header fields are too many",
                advice: "keep \(TracingConfiguration.mostHeaders) or fewer")
        }
        return items.compactMap { item in
            guard let reader = MappingReader(item, .tracingHeader, isOffline: isOffline, pass: pass) else {
                return nil
            }
            reader.require(TracingKeys.headerName.declaration, advice: "name the header field")
            let present = reader.keysPresent(inGroup: TracingKeys.headerValue.literal.name)
            if present.isEmpty, !reader.misses(TracingKeys.headerValue.literal) {
                pass.error(
                    at: reader.place, reader.path, "the header field has no value",
                    advice: "add value, value-file or value-command")
            }
            guard let name = reader.value(TracingKeys.headerName),
                let found = reader.secret(TracingKeys.headerValue)
            else { return nil }
            guard found.text.utf8.allSatisfy({ 0x20...0x7e ~= $0 }) else {
                pass.error(
                    at: found.place, found.path, "the value holds more than printable ASCII",
                    advice: "write it as the collector's operator gave it")
                return nil
            }
            return TracingConfiguration.Header(name: name, value: Secret(found.text))
        }
    }
}
