/// How a page of metrics is written.
package enum MetricsFormat: Sendable, Hashable, CaseIterable {
    /// The text format 0.0.4 of Prometheus.
    case prometheus
    /// OpenMetrics 1.0, which also has units and exemplars.
    case openMetrics

    package var mediaType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }
}

/// Writes families and their samples, one after another. Pure; makes nothing for a sample but its bytes.
package struct MetricsWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private let format: MetricsFormat
    private var family: MetricFamily?
    private var name: [UInt8] = []
    /// What stands before the value of each label: `{server="`, `",code="`.
    private var beforeLabels: [[UInt8]] = []
    /// The bounds of the buckets of durations, as they are written.
    private let bounds: [[UInt8]]

    /// - Parameter capacity: bytes that the page is expected to have.
    package init(_ format: MetricsFormat, capacity: Int = 64 << 10) {
        self.format = format
        bounds =
            DurationHistogram.bounds.map { bound in
                var text: [UInt8] = []
                text.append(.microseconds(bound), isFloat: true)
                return text
            } + [Array("+Inf".utf8)]
        bytes.reserveCapacity(capacity)
    }

    /// Samples of this family come next.
    package mutating func begin(_ family: MetricFamily) {
        self.family = family
        name = Array(family.name.utf8)
        beforeLabels = family.labels.enumerated().map { index, label in
            Array((index == 0 ? "{\(label)=\"" : "\",\(label)=\"").utf8)
        }
        let (title, kind) =
            switch (format, family.kind) {
            case (.openMetrics, let kind): (family.name, kind.rawValue)
            case (.prometheus, .counter): ("\(family.name)_total", "counter")
            case (.prometheus, .info): ("\(family.name)_info", "gauge")
            case (.prometheus, let kind): (family.name, kind.rawValue)
            }
        append("# HELP \(title) \(family.help)\n# TYPE \(title) \(kind)\n")
        if format == .openMetrics, let unit = family.unit { append("# UNIT \(title) \(unit.rawValue)\n") }
    }

    /// A sample of a counter, a gauge or an info.
    ///
    /// - Parameters: the values of the family's labels, in their order.
    package mutating func add(_ number: MetricNumber, _ first: String? = nil, _ second: String? = nil) {
        add(number, first.map(Label.text), second)
    }

    /// The same where the first value is one that `escaped` has made.
    mutating func add(_ number: MetricNumber, escaped first: [UInt8], _ second: String? = nil) {
        add(number, .escaped(first), second)
    }

    private mutating func add(_ number: MetricNumber, _ first: Label?, _ second: String?) {
        let suffix =
            switch family?.kind {
            case .counter: "_total"
            case .info: "_info"
            default: ""
            }
        begin(suffix, first, second)
        end(number)
    }

    /// Those of a summary.
    ///
    /// - Parameter first: a value that `escaped` has made.
    mutating func add(sum: MetricNumber, count: UInt64, escaped first: [UInt8]) {
        begin("_sum", .escaped(first), nil)
        end(sum)
        begin("_count", .escaped(first), nil)
        end(MetricNumber(count))
    }

    /// Those of a histogram.
    ///
    /// - Parameter exemplars: of its buckets, in their order.
    package mutating func add(
        _ histogram: DurationHistogram, _ first: String? = nil, _ second: String? = nil,
        exemplars: RequestExemplars? = nil
    ) {
        let counts = histogram.counts
        let first = first.map(Label.text)
        var count: UInt64 = 0
        for (index, bound) in bounds.enumerated() {
            count += counts[index]
            append(start: "_bucket")
            append(labels: first, second)
            append(beforeLabels.isEmpty ? "{le=\"" : ",le=\"")
            bytes.append(contentsOf: bound)
            append("\"} ")
            bytes.append(MetricNumber(count))
            if format == .openMetrics, let exemplar = exemplars?[bucket: index] { append(exemplar) }
            bytes.append(UInt8(ascii: "\n"))
        }
        begin("_sum", first, second)
        end(.microseconds(histogram.sum))
        begin("_count", first, second)
        end(MetricNumber(count))
    }

    /// The page is whole.
    package consuming func finished() -> [UInt8] {
        if format == .openMetrics { append("# EOF\n") }
        return bytes
    }

    // MARK: Pieces

    /// The value of a label.
    private enum Label {
        case text(String)
        case escaped([UInt8])
    }

    /// The value of a label as it is written: to be made once where many samples have it.
    static func escaped(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        append(escaped: text, to: &bytes)
        return bytes
    }

    private mutating func begin(_ suffix: String, _ first: Label?, _ second: String?) {
        append(start: suffix)
        append(labels: first, second)
        if !beforeLabels.isEmpty { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: " "))
    }

    private mutating func end(_ number: MetricNumber) {
        bytes.append(number)
        bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func append(start suffix: String) {
        bytes.append(contentsOf: name)
        append(suffix)
    }

    /// All but the brace behind them.
    private mutating func append(labels first: Label?, _ second: String?) {
        for (index, before) in beforeLabels.enumerated() {
            bytes.append(contentsOf: before)
            switch index == 0 ? first : second.map(Label.text) {
            case .text(let text): append(escaped: text)
            case .escaped(let text): bytes.append(contentsOf: text)
            case nil: break
            }
        }
        if !beforeLabels.isEmpty { bytes.append(UInt8(ascii: "\"")) }
    }

    private mutating func append(_ exemplar: RequestExemplar) {
        append(" # {")
        if let trace = exemplar.traceID {
            append("trace_id=\"")
            append(escaped: trace)
            append("\",")
        }
        append("request_id=\"")
        append(escaped: exemplar.requestID)
        append("\"} ")
        bytes.append(.microseconds(exemplar.microseconds))
        bytes.append(UInt8(ascii: " "))
        bytes.append(.milliseconds(exemplar.at))
    }

    private mutating func append(escaped text: String) { Self.append(escaped: text, to: &bytes) }

    private static func append(escaped text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { text in
            guard text.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") || $0 == 10 })
            else { return bytes.append(contentsOf: text) }
            for byte in text {
                switch byte {
                case 10: bytes.append(contentsOf: "\\n".utf8)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                default: bytes.append(byte)
                }
            }
        }
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
