import YAMLDocument

extension LoadingPass {
    /// Message and advice.
    static func explanation(of kind: YAMLProblem.Kind) -> (message: String, advice: String?) {
        switch kind {
        case .tooLarge(let limit):
            ("the file is longer than \(limit / 1_048_576) MiB", "split it, or correct the path")
        case .notUTF8: ("the file is no UTF-8", "save it as UTF-8")
        case .nul: ("there is a NUL character", "remove it")
        case .forbiddenCharacter(let code):
            (
                "there is a control character (U+\(hexadecimal(code)))",
                "remove it, or write it as an escape in double quotes"
            )
        case .tab: ("a tab cannot indent here", "use spaces")
        case .cannotStart(let scalar):
            ("a value cannot start with \(Quotation.of(String(scalar)))", "put the value into quotes: '…'")
        case .syntax(let problem, let context, let line):
            (syntax(problem, context, line), syntaxAdvice(problem, context))
        case .severalDocuments: ("a second document starts here", "keep one document in the file")
        case .tagDirective: ("%TAG is not supported", "remove the line")
        case .unknownTag(let tag):
            // An unquoted password may start with "!" or "*": names of tags and aliases are not shown.
            if let name = standardName(of: tag) {
                ("the tag \(Quotation.of(name)) does not fit here", "remove it")
            } else {
                ("the tag here is unknown", "remove it, or quote the value if it starts with \"!\"")
            }
        case .duplicateKey(let key, let first):
            ("\(named(key)) is already set at line \(first.line)", "keep one of the two")
        case .keyIsNoScalar:
            (
                "a list or mapping cannot be a key",
                "write key: value, or quote the value if it starts with \"{\" or \"[\""
            )
        case .unknownAlias:
            (
                "there is no anchor of this name before this alias",
                "define it above, or quote the value if it starts with \"*\""
            )
        case .recursiveAlias(let name):
            ("the alias \(Quotation.of("*" + name)) stands within its own anchor", "remove it")
        case .mergeOfNoMapping:
            ("\"<<\" can merge mappings only", "give it an alias of a mapping, or a list of them")
        case .tooDeep(let limit): ("nested deeper than \(limit) levels", "flatten it")
        case .tooManyNodes(let limit):
            ("more than \(limit) values once aliases stand for what they name", "use fewer aliases")
        }
    }

    /// What unquoted values that begin with YAML's own characters lead to.
    private static func syntaxAdvice(_ problem: String, _ context: String?) -> String {
        if problem.hasPrefix("mapping values are not allowed") {
            return "quote the value if it holds a colon, such as \"::\", or correct the YAML just above"
        }
        let starts = [
            "an anchor": "&", "an alias": "*", "a tag": "!", "a block scalar": "|", "a directive": "%",
        ]
        for (token, start) in starts where context?.hasSuffix(token) == true {
            return "quote the value if it starts with \"\(start)\""
        }
        return "correct the YAML here or just above"
    }

    private static func syntax(_ problem: String, _ context: String?, _ line: Int?) -> String {
        guard let context else { return problem }
        guard let line else { return "\(problem) (\(context))" }
        return "\(problem) (\(context) that starts at line \(line))"
    }

    /// A key that is none of ours may be a secret in the wrong place.
    private static func named(_ key: String) -> String {
        let isKnown = ConfigurationSection.allCases.contains { $0.keys.contains { $0.name == key } }
        return isKnown ? "the key \(Quotation.of(key))" : "this key"
    }

    /// One of YAML's own tags as one writes it.
    private static func standardName(of tag: String) -> String? {
        let prefix = "tag:yaml.org,2002:"
        return tag.hasPrefix(prefix) ? "!!" + tag.dropFirst(prefix.count) : nil
    }

    private static func hexadecimal(_ code: UInt32) -> String {
        let digits = String(code, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
