/// Which arguments hold secrets, so that they can be wiped out of the process listing.
///
/// Looks at every argument, whatever stands before it: rather one too many wiped than a secret left.
package enum SecretArguments {
    private static let secretFlags: Set<String> = ["token", "passwords", "password", "robowhois"]
    private static let urlFlags: Set<String> = ["tunnel", "proxy", "server"]
    private static let mask = "***"

    /// What to show in the place of arguments that hold secrets, by index; never longer than what stood there.
    ///
    /// - Parameter arguments: everything behind the program's name.
    package static func masked(_ arguments: [String]) -> [Int: String] {
        guard let command = arguments.first else { return [:] }
        if command == "whois" { return whois(arguments) }
        if command == "explain" { return explain(arguments) }
        guard GoCommand(rawValue: command) != nil else { return [:] }
        var masked: [Int: String] = [:]
        for (index, argument) in arguments.enumerated().dropFirst() where argument.hasPrefix("-") {
            let flag = GoFlags.split(argument)
            if let value = flag.value {
                guard let shown = shown(value, ofFlag: flag.name) else { continue }
                masked[index] = argument.prefix { $0 != "=" } + "=" + shown
            } else if index + 1 < arguments.count,
                let shown = shown(arguments[index + 1], ofFlag: flag.name)
            {
                masked[index + 1] = shown
            }
        }
        return masked
    }

    /// Which flags brought a secret along, for a warning.
    static func flags(in values: GoFlags.Values) -> [String] {
        values.texts.filter { shown($0.value, ofFlag: $0.key) != nil }.keys
            .filter { $0 != "robowhois" && $0 != "server" }.sorted()
    }

    /// Nil when there is nothing to hide.
    private static func shown(_ value: String, ofFlag name: String) -> String? {
        if secretFlags.contains(name) { return value.isEmpty ? nil : short(value) }
        guard urlFlags.contains(name), let at = value.lastIndex(of: "@") else { return nil }
        let start = value.firstRange(of: "://").map(\.upperBound) ?? value.startIndex
        guard start < at else { return nil }
        return value[..<start] + short(value[start..<at]) + value[at...]
    }

    /// `wstunnel whois TOKEN ADDRESS`: the first of two is the token.
    private static func whois(_ arguments: [String]) -> [Int: String] {
        guard case .values(let values) = WhoisArguments.flags.parse(Array(arguments.dropFirst())),
            values.rest.count >= 2
        else { return [:] }
        return [1 + values.restStart: short(values.rest[0])]
    }

    /// `wstunnel explain GET http://host/_token/TOKEN/ -H "Authorization: SECRET"`: values of headers, and what stands behind
    /// `/_token/`.
    private static func explain(_ arguments: [String]) -> [Int: String] {
        var masked: [Int: String] = [:]
        for (index, argument) in arguments.enumerated().dropFirst() {
            let isValue = ["-H", "-header", "--header"].contains(arguments[index - 1])
            let isJoined =
                argument.hasPrefix("-H") || argument.hasPrefix("-header=") || argument.hasPrefix("--header=")
            if isValue || isJoined, let colon = argument.firstIndex(of: ":") {
                masked[index] = argument[...colon] + short(argument[colon...].dropFirst())
            } else if let place = argument.firstRange(of: "/_token/") {
                masked[index] = argument[..<place.upperBound] + short(argument[place.upperBound...])
            }
        }
        return masked
    }

    /// The mask, cut to what it stands for: it has no more room.
    private static func short(_ secret: some StringProtocol) -> String {
        String(mask.prefix(min(mask.count, secret.utf8.count)))
    }
}
