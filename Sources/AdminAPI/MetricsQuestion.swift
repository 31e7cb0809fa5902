import HTTPMessage
package import NIOCore
package import Observability

/// How a page of metrics is wanted.
package struct MetricsQuestion: Sendable, Hashable {
    package let format: MetricsFormat
    /// By `Gzip`.
    package let isCompressed: Bool

    package init(format: MetricsFormat, isCompressed: Bool) {
        self.format = format
        self.isCompressed = isCompressed
    }

    /// What who asks can read best.
    init(_ fields: HeaderFields) {
        let accepted = QualityList(fields, named: "Accept").elements
        let openMetrics = accepted.filter {
            $0.value == "application/openmetrics-text"
                && ["1.0.0", nil].contains($0.parameters["version"])
        }
        let text = accepted.filter { $0.value == "text/plain" || $0.value == "text/*" }
        let wanted = openMetrics.map(\.quality).max() ?? 0
        format = wanted > 0 && wanted >= text.map(\.quality).max() ?? 0 ? .openMetrics : .prometheus
        isCompressed = QualityList(fields, named: "Accept-Encoding").quality(ofCoding: "gzip") > 0
    }
}

/// A page of metrics.
package struct MetricsAnswer: Sendable {
    package let bytes: ByteBuffer
    package let format: MetricsFormat
    package let isCompressed: Bool

    package init(bytes: ByteBuffer, format: MetricsFormat, isCompressed: Bool) {
        self.bytes = bytes
        self.format = format
        self.isCompressed = isCompressed
    }
}
