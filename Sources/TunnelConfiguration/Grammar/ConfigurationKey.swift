/// What a key takes, for people, schema and tests.
package enum ValueShape: Hashable, Sendable {
    case text
    /// Letters, digits, `_`, `.` and `-`.
    case name
    case integer(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case boolean
    /// A number of bytes, such as `64KiB`.
    case byteCount(ClosedRange<Int>)
    case choice([String])
    /// A text that is never shown.
    case secret
    /// A list of them.
    case secrets
    /// The path of a file, relative to the configuration file.
    case path
    /// Paths that may hold `*`, `?` and `[a-z]`, as one text or a list.
    case patterns
    /// Program and arguments.
    case command
    /// A URL with one of these schemes.
    case url([String])
    /// One of them, or a list.
    case urls([String])
    case regexp
    /// Ports and ranges of them, as one text or a list.
    case ports
    /// Texts, as one or a list.
    case texts
    /// A list of IP addresses and CIDR ranges.
    case addresses
    /// A mapping from names of HTTP fields to values.
    case fields
    /// `true` or `false`, or a mapping that says more.
    case switchOrMapping(ConfigurationSection)
    case mapping(ConfigurationSection)
    case list(ConfigurationSection)

    /// Whether what stands there must not be shown.
    package var isSecret: Bool {
        switch self {
        case .secret, .secrets, .command: true
        default: false
        }
    }
}

/// What the file says about one key, value type left out.
package struct KeyDeclaration: Hashable, Sendable {
    package let name: String
    package let shape: ValueShape
    /// The default as one would write it, or nil when there is none.
    package let defaultText: String?
    /// Keys of one group exclude each other; an entry that sets one of them drops the group's defaults.
    package let group: String?
    /// What the key is for, in one sentence.
    package let meaning: String

    init(
        _ name: String, _ shape: ValueShape, default defaultText: String? = nil, group: String? = nil,
        _ meaning: String
    ) {
        self.name = name
        self.shape = shape
        self.defaultText = defaultText
        self.group = group
        self.meaning = meaning
    }
}

/// A key with a scalar value: how the scalar becomes a value, and which value stands in when it is absent.
struct ScalarKey<Value: Sendable>: Sendable {
    let declaration: KeyDeclaration
    let defaultValue: Value
    let parse: @Sendable (ValueText) throws(ValueFault) -> Value
}

extension ScalarKey where Value == Int {
    static func integer(
        _ name: String, _ range: ClosedRange<Int>, default value: Int, _ meaning: String
    ) -> Self {
        Self(
            declaration: KeyDeclaration(name, .integer(range), default: "\(value)", meaning),
            defaultValue: value,
            parse: { value throws(ValueFault) in try ValueRule.integer(value, range) })
    }
}

extension ScalarKey where Value == Int? {
    static func integer(_ name: String, _ range: ClosedRange<Int>, _ meaning: String) -> Self {
        Self(
            declaration: KeyDeclaration(name, .integer(range), meaning), defaultValue: nil,
            parse: { value throws(ValueFault) in try ValueRule.integer(value, range) })
    }
}

extension ScalarKey where Value == Duration {
    /// - Parameter meaning: the start of a sentence that the range ends.
    static func duration(
        _ name: String, _ range: ClosedRange<Duration>, default value: Duration, _ meaning: String
    ) -> Self {
        let bounds = [range.lowerBound, range.upperBound].map(DurationText.format)
        return Self(
            declaration: KeyDeclaration(
                name, .duration(range), default: DurationText.format(value),
                "\(meaning), \(bounds[0]) to \(bounds[1])."),
            defaultValue: value,
            parse: { value throws(ValueFault) in try ValueRule.duration(value, range) })
    }
}

extension ScalarKey where Value == Bool {
    static func boolean(_ name: String, default value: Bool, _ meaning: String) -> Self {
        Self(
            declaration: KeyDeclaration(name, .boolean, default: "\(value)", meaning), defaultValue: value,
            parse: { value throws(ValueFault) in try ValueRule.boolean(value) })
    }
}

extension ScalarKey where Value == Bool? {
    static func boolean(_ name: String, _ meaning: String) -> Self {
        Self(
            declaration: KeyDeclaration(name, .boolean, meaning), defaultValue: nil,
            parse: { value throws(ValueFault) in try ValueRule.boolean(value) })
    }
}

extension ScalarKey where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    static func choice(_ name: String, default value: Value, _ meaning: String) -> Self {
        let choices = Value.allCases.map(\.rawValue)
        return Self(
            declaration: KeyDeclaration(name, .choice(choices), default: value.rawValue, meaning),
            defaultValue: value,
            parse: { value throws(ValueFault) in
                if let choice = Value(rawValue: value.text) { return choice }
                throw ValueRule.noChoice(value.text, among: choices)
            })
    }
}

extension ScalarKey {
    /// A choice without a default: absent is nil.
    static func optionalChoice<Choice>(_ name: String, _ meaning: String) -> Self
    where Value == Choice?, Choice: CaseIterable & RawRepresentable, Choice.RawValue == String {
        let choices = Choice.allCases.map(\.rawValue)
        return Self(
            declaration: KeyDeclaration(name, .choice(choices), meaning), defaultValue: nil,
            parse: { value throws(ValueFault) in
                if let choice = Choice(rawValue: value.text) { return choice }
                throw ValueRule.noChoice(value.text, among: choices)
            })
    }
}

extension ScalarKey where Value == String {
    static func text(
        _ name: String, _ shape: ValueShape = .text, default value: String, _ meaning: String,
        _ parse: @escaping @Sendable (String) throws(ValueFault) -> String
    ) -> Self {
        Self(
            declaration: KeyDeclaration(name, shape, default: value, meaning), defaultValue: value,
            parse: { value throws(ValueFault) in try parse(value.text) })
    }
}

extension ScalarKey {
    /// A key without a default: absent is nil.
    static func optional<Wrapped>(
        _ name: String, _ shape: ValueShape = .text, _ meaning: String,
        _ parse: @escaping @Sendable (String) throws(ValueFault) -> Wrapped
    ) -> Self where Value == Wrapped? {
        Self(
            declaration: KeyDeclaration(name, shape, meaning), defaultValue: nil,
            parse: { value throws(ValueFault) in try parse(value.text) })
    }
}
