import HTTPMessage

/// The keys of names by which requests reach a tunnel.
enum HostKeys {
    // an entry of hosts of a server
    static let host = ScalarKey<PublicName.Host?>.optional(
        "host", .text,
        "The Host of the requests, without a port; *.example.com is any one label before example.com, * every other host.",
        TextRule.publicHost)
    static let path = ScalarKey<String>(
        declaration: KeyDeclaration(
            "path", .text,
            "How the path of the requests begins, below base-path; the longest that fits counts."),
        defaultValue: "", parse: { value throws(ValueFault) in try TextRule.namePath(value.text) })

    // what tunnel clients may have for the asking
    static let claims = KeyDeclaration(
        "host-claims", .mapping(.hostClaims), "Which host names tunnel clients may have for the asking.")
    static let claimsOfToken = KeyDeclaration(
        "host-claims", .mapping(.tokenHostClaims),
        "Which host names the token's clients may have for the asking.")
    static let domain = ScalarKey<String?>.optional(
        "domain", .text, "A claim without a dot is for a name right below it.", TextRule.requestHost)
    static let allow = KeyDeclaration(
        "allow", .texts,
        "Names that may be claimed, and patterns of names: * stands for any characters but a dot. By default every name right "
            + "below domain.")
    static let reserved = KeyDeclaration(
        "reserved", .texts,
        "Names, and patterns of them, that only tokens may have whose own entry allows them.")
    static let perToken = ScalarKey<Int?>.integer(
        "per-token", 0...64, "Most names of one token at once; by default 10.")
    static let publicURL = ScalarKey<PublicURL?>.optional(
        "public-url", .url(["http", "https"]),
        "Where callers reach the server, if a proxy stands before it; for the URLs that are shown of names.",
        PublicURL.parse)

    // tunnels
    static let wanted = KeyDeclaration(
        "hosts", .texts,
        "Host names to ask the server for, whole or a label below its domain; random is one that nobody can guess."
    )
}

extension TextRule {
    /// As `basePath`, and whatever reads it understands the same.
    static func namePath(_ text: String) throws(ValueFault) -> String {
        let path = try basePath(text)
        guard ComparablePath.otherReadings(of: path).allSatisfy({ $0 == ComparablePath.of(path) }) else {
            throw ValueFault(
                "\(Quotation.of(text)) can be read in more than one way",
                advice: "write one without \";\" and needless escapes, like /shop")
        }
        return path
    }

    /// As `requestHost`, or a pattern: `*.` and a name, or `*`.
    static func publicHost(_ text: String) throws(ValueFault) -> PublicName.Host {
        guard text != "*" else { return .any }
        guard text.contains("*") else { return .exact(withoutRoot(try requestHost(text))) }
        guard text.hasPrefix("*."), !text.dropFirst(2).contains("*") else {
            throw ValueFault(
                "\(Quotation.of(text)) has a star that stands for more or less than the first label",
                advice: "write a name, one like *.example.com, or * for every other host")
        }
        return .anyLabel(before: withoutRoot(try requestHost(String(text.dropFirst(2)))))
    }

    /// A name or a pattern of names, of which one without a dot is below the domain.
    static func hostGlob(_ text: String, domain: String?) throws(ValueFault) -> HostGlob {
        let isGlob =
            !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2a, 0x2d, 0x2e, 0x5f: true
                default: false
                }
            } && !text.hasPrefix(".") && !text.hasSuffix(".") && !text.contains("..")
        guard isGlob else {
            if let fault = ForeignHost.fault(in: text) { throw fault }
            throw ValueFault(
                "\(Quotation.of(text)) is no name of a host",
                advice: "write one like app, app.example.com or *.example.com")
        }
        guard !text.contains(".") else { return HostGlob(text) }
        guard let domain else {
            throw ValueFault(
                "\(Quotation.of(text)) has no dot, and there is no domain that it could be below",
                advice: "add \"domain\", or write a whole name")
        }
        return HostGlob("\(text).\(domain)")
    }

    private static func withoutRoot(_ host: String) -> String {
        host.hasSuffix(".") ? String(host.dropLast()) : host
    }
}

extension PublicURL {
    /// Reads `https://host[:port]`.
    static func parse(_ text: String) throws(ValueFault) -> PublicURL {
        let url = try urlText(text, example: "https://tunnel.example.com")
        guard url.scheme == "http" || url.scheme == "https", url.userinfo == nil, !url.hasQueryOrFragment,
            url.path.isEmpty || url.path == "/"
        else {
            throw ValueFault(
                "\(shownURL(text)) is more or something else than scheme, host and port",
                advice: "write one like https://tunnel.example.com; what stands before the paths is base-path"
            )
        }
        let isSecure = url.scheme == "https"
        return PublicURL(isSecure: isSecure, host: url.host, port: url.port ?? (isSecure ? 443 : 80))
    }
}
