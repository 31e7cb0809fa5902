import YAMLDocument

/// The keys of `load-shedding`.
enum LoadKeys {
    static let loadShedding = KeyDeclaration(
        "load-shedding", .switchOrMapping(.loadShedding),
        "What is taken less of when memory, descriptors or processors run short; on by default.")

    static let enforce = ScalarKey<Bool>.boolean(
        "enforce", default: true, "false: nothing is done, and the log and status tell of it.")
    static let memory = ScalarKey<LoadShedding.Bound>(
        declaration: KeyDeclaration(
            "memory", .text, default: "auto",
            "Memory of the process, 1MiB or more; auto is the limit of its control group, off any amount."),
        defaultValue: .automatic,
        parse: { value throws(ValueFault) in
            try bound(value) { value throws(ValueFault) in
                guard ByteCountText.parse(value.text) != nil else {
                    throw noBound(value, "size", like: "512MiB")
                }
                return try ValueRule.byteCount(value, 1 << 20...1 << 50)
            }
        })
    static let descriptors = ScalarKey<LoadShedding.Bound>(
        declaration: KeyDeclaration(
            "descriptors", .text, default: "auto",
            "File descriptors of the process, 64 or more; auto is the limit on open files from 1024 on, off any number."
        ),
        defaultValue: .automatic,
        parse: { value throws(ValueFault) in
            try bound(value) { value throws(ValueFault) in
                guard YAMLScalar.integer(from: value.text) != nil else {
                    throw noBound(value, "number", like: "4096")
                }
                return try ValueRule.integer(value, 64...100_000_000)
            }
        })
    static let loopDelay = ScalarKey<Duration?>(
        declaration: KeyDeclaration(
            "loop-delay", .text, default: "off",
            "How late every event may be dealt with, 10ms to 60s; off is as late as it gets."),
        defaultValue: nil,
        parse: { value throws(ValueFault) in
            if YAMLScalar.boolean(from: value.text) == false { return nil }
            guard DurationText.parse(value.text) != nil else {
                throw ValueFault(
                    "\(Quotation.of(value.text)) is no duration", advice: "write off, or one like 500ms or 2s"
                )
            }
            return try ValueRule.duration(value, .milliseconds(10) ... .seconds(60))
        })

    static let all = [
        enforce.declaration, memory.declaration, descriptors.declaration, loopDelay.declaration,
    ]

    private static func bound(
        _ value: ValueText, _ amount: (ValueText) throws(ValueFault) -> Int
    ) throws(ValueFault) -> LoadShedding.Bound {
        if value.text == "auto" { return .automatic }
        if YAMLScalar.boolean(from: value.text) == false { return .off }
        return .amount(try amount(value))
    }

    private static func noBound(_ value: ValueText, _ what: String, like example: String) -> ValueFault {
        ValueFault(
            "\(Quotation.of(value.text)) is no \(what)",
            advice: "write auto, off, or a \(what) like \(example)")
    }
}
