import YAMLDocument

/// A scalar that is about to be read as a value: variables are expanded.
struct ValueText {
    let text: String
    /// Whether quotes (or a tag) say that it is a text. A quoted scalar with a variable in it is not: `${…}`
    /// needs the quotes within `{ }`, whatever the value is.
    let isAlwaysText: Bool
}

/// Why a value cannot be taken.
struct ValueFault: Error, Hashable {
    let message: String
    let advice: String?

    init(_ message: String, advice: String? = nil) {
        self.message = message
        self.advice = advice
    }
}

/// Scalars to values, with a fault that says what to write instead.
enum ValueRule {
    static func integer(_ value: ValueText, _ range: ClosedRange<Int>) throws(ValueFault) -> Int {
        let bounds = range == Int.min...Int.max ? "" : " from \(range.lowerBound) to \(range.upperBound)"
        let advice = "write a whole number\(bounds)"
        guard let number = YAMLScalar.integer(from: value.text) else {
            throw ValueFault("\(Quotation.of(value.text)) is no whole number", advice: advice)
        }
        guard !value.isAlwaysText else {
            throw ValueFault(
                "\(Quotation.of(value.text)) is a text, not a number", advice: "remove the quotes")
        }
        guard range.contains(number) else { throw ValueFault("\(number) is out of range", advice: advice) }
        return number
    }

    static func duration(_ value: ValueText, _ range: ClosedRange<Duration>) throws(ValueFault) -> Duration {
        guard let duration = DurationText.parse(value.text) else {
            throw ValueFault(
                "\(Quotation.of(value.text)) is no duration",
                advice: "write one like 250ms, 30s, 20m or 1h; a bare number is in seconds")
        }
        guard range.contains(duration) else {
            let bounds = [range.lowerBound, range.upperBound].map(DurationText.format)
            throw ValueFault(
                "\(Quotation.of(value.text)) is out of range",
                advice: "write a duration from \(bounds[0]) to \(bounds[1])")
        }
        return duration
    }

    static func boolean(_ value: ValueText) throws(ValueFault) -> Bool {
        guard let boolean = YAMLScalar.boolean(from: value.text) else {
            throw ValueFault("\(Quotation.of(value.text)) is no boolean", advice: "write true or false")
        }
        guard !value.isAlwaysText else {
            throw ValueFault(
                "\(Quotation.of(value.text)) is a text, not a boolean", advice: "remove the quotes")
        }
        return boolean
    }

    static func noChoice(_ text: String, among choices: [String]) -> ValueFault {
        let advice = NearMiss.nearest(to: text, among: choices).map { "did you mean \"\($0)\"?" }
        return ValueFault(
            "\(Quotation.of(text)) is unknown",
            advice: advice ?? "write one of \(choices.joined(separator: ", "))")
    }
}
