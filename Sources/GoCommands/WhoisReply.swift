import TunnelConfiguration

/// The arguments of `wstunnel whois`.
package struct WhoisArguments: Hashable, Sendable {
    /// An IP address.
    package var address: String
    /// Where to ask first.
    package var host: String
    package var port: Int

    package init(address: String, host: String = Self.rootHost, port: Int = Self.defaultPort) {
        self.address = address
        self.host = host
        self.port = port
    }

    /// Knows which networks belong to which registry.
    package static let rootHost = "whois.iana.org"
    /// RFC 3912.
    package static let defaultPort = 43

    package static let flags = GoFlags(
        command: "wstunnel whois",
        [
            .init(
                "server", .text("HOST[:PORT]"), default: rootHost, "whois server to ask first")
        ])

    package static var usage: String {
        flags.usage("Tells whose an address is: wstunnel whois [flags] [ignored token] ADDRESS")
    }

    package enum Reading: Hashable, Sendable {
        case help(String)
        case fault(String)
        case arguments(WhoisArguments)
    }

    /// - Parameter arguments: what follows the command: an address, or as in the Go program a token and an address.
    package static func read(_ arguments: [String]) -> Reading {
        func fault(_ text: String) -> Reading { .fault(flags.rejection(text)) }
        let values: GoFlags.Values
        switch flags.parse(arguments) {
        case .help: return .help(usage)
        case .fault(let text): return fault(text)
        case .values(let parsed): values = parsed
        }
        guard let first = values.rest.first, let address = values.rest.last else {
            return fault("give one address")
        }
        if StrayWord.commands.contains(first) {
            return fault(
                "argument \(values.restStart + 1) is no address — \(StrayWord.advice(first, of: flags))"
            )
        }
        guard values.rest.count <= 2 else { return fault("give one address") }
        guard AddressRange.isAddress(address) else {
            return fault("\(Quotation.of(address)) is no IP address")
        }
        guard let (host, port) = WhoisReply.server(values.texts["server"] ?? rootHost) else {
            return fault("-server: \(Quotation.of(values.texts["server"] ?? "")) is no host or host:port")
        }
        return .arguments(WhoisArguments(address: address, host: host, port: port))
    }
}

/// What a whois server said: text that nobody has agreed the form of.
package struct WhoisReply: Sendable {
    private let fields: [(name: String, value: String)]

    /// The most that is read of an answer.
    package static let sizeLimit = 64 * 1024
    /// How often another server is asked because one named it.
    package static let referralLimit = 3

    package init(_ bytes: [UInt8]) {
        fields = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap {
            line in
            guard !line.hasPrefix("%"), !line.hasPrefix("#"), let colon = line.firstIndex(of: ":") else {
                return nil
            }
            let value = Self.cleaned(line[line.index(after: colon)...])
            return value.isEmpty ? nil : (line[..<colon].lowercased(), value)
        }
    }

    /// The server that knows more, if this one names one.
    package var referral: (host: String, port: Int)? {
        first(of: ["refer", "referralserver", "resourcelink"]).flatMap { value in
            let bare = value.hasPrefix("whois://") ? String(value.dropFirst("whois://".count)) : value
            return Self.server(bare)
        }
    }

    /// Whose the address is, by the names that the registries use; a network's own name for want of a better one.
    package var organisation: String? {
        first(of: ["orgname", "org-name", "organisation", "organization", "owner", "descr", "netname"])
    }

    /// The first field of the first name that is there.
    private func first(of names: [String]) -> String? {
        for name in names {
            if let field = fields.first(where: { $0.name == name }) { return field.value }
        }
        return nil
    }

    /// On one line, of bounded length, without what would move a terminal's cursor.
    package static func cleaned(_ text: some StringProtocol) -> String {
        var cleaned = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate,
                .unassigned,
                .privateUse:
                if let last = cleaned.last, last != " " { cleaned.append(" ") }
            default: cleaned.append(scalar)
            }
            if cleaned.count >= 200 { break }
        }
        if cleaned.last == " " { cleaned.removeLast() }
        return String(cleaned)
    }

    /// Reads `host` or `host:port`.
    static func server(_ text: String) -> (host: String, port: Int)? {
        let text = text.hasSuffix("/") ? text.dropLast() : text[...]
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first, !host.isEmpty, host.utf8.count <= 253,
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") })
        else { return nil }
        guard parts.count == 2 else { return (String(host), WhoisArguments.defaultPort) }
        guard let port = Int(parts[1]), (1...65_535).contains(port) else { return nil }
        return (String(host), port)
    }
}
