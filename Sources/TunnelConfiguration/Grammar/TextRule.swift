import HTTPMessage

/// Texts with a form of their own.
enum TextRule {
    /// `[A-Za-z0-9][A-Za-z0-9_.-]*`: goes into logs, metrics and command lines as it is.
    static func name(_ text: String) throws(ValueFault) -> String {
        guard isName(text) else {
            throw ValueFault(
                "\(Quotation.of(text)) is no name",
                advice: "use letters, digits, \"_\", \".\" and \"-\", and start with a letter or digit")
        }
        return text
    }

    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, isLetterOrDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || "_.-".utf8.contains($0) }
    }

    static func path(_ text: String) throws(ValueFault) -> String {
        guard !text.isEmpty else { throw ValueFault("the path is empty", advice: "name a file") }
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw ValueFault("the path holds a control character", advice: "name a file")
        }
        return text
    }

    /// An address to bind, IPv6 with or without brackets.
    static func bindAddress(_ text: String) throws(ValueFault) -> String {
        var host = text[...]
        if host.hasPrefix("[") && host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        if URLText.isHost(host) { return String(host) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2, URLText.isHost(parts[0]), Int(parts[1]) != nil {
            throw ValueFault(
                "\(Quotation.of(text)) holds a port", advice: "write it as port: \(parts[1])")
        }
        if let fault = ForeignHost.fault(in: text) { throw fault }
        throw ValueFault(
            "\(Quotation.of(text)) is no address",
            advice: "write an IP address or a host name, 0.0.0.0 for all")
    }

    /// What callers name in `Host`, without a port, in lower case; IPv6 with or without brackets.
    static func requestHost(_ text: String) throws(ValueFault) -> String {
        var host = text[...]
        if host.hasPrefix("[") && host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        if URLText.isHost(host) { return host.lowercased() }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2, URLText.isHost(parts[0]), Int(parts[1]) != nil {
            throw ValueFault("\(Quotation.of(text)) holds a port", advice: "write \(parts[0])")
        }
        if let fault = ForeignHost.fault(in: text) { throw fault }
        throw ValueFault(
            "\(Quotation.of(text)) is no host", advice: "write a name or address, such as www.example.com")
    }

    /// A host, or `*.` and a name, for any one label in front of it; in lower case.
    static func certificateHost(_ text: String) throws(ValueFault) -> String {
        let hasStar = text.hasPrefix("*.")
        let name = hasStar ? String(text.dropFirst(2)) : text
        guard !name.contains("*") else {
            throw ValueFault(
                "\(Quotation.of(text)) has a star that stands for more or less than the first label",
                advice: "write a name, or one like *.example.com")
        }
        let host = try requestHost(name)
        return (hasStar ? "*." : "") + (host.hasSuffix(".") ? String(host.dropLast()) : host)
    }

    /// "" or a path without its last slash.
    static func basePath(_ text: String) throws(ValueFault) -> String {
        if text.isEmpty || text == "/" { return "" }
        guard text.first?.isWhitespace == false, text.last?.isWhitespace == false else {
            throw ValueFault(
                "\(Quotation.of(text)) begins or ends with white space", advice: "write it without")
        }
        guard text.hasPrefix("/") else {
            throw ValueFault(
                "\(Quotation.of(text)) does not start with \"/\"", advice: "write \(Quotation.of("/" + text))"
            )
        }
        let path = text.hasSuffix("/") ? text.dropLast() : text[...]
        // Escapes are compared as what they stand for; none of them may stand for a path's own structure.
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"?#\\\"<>".utf8.contains($0) }),
            let plain = PercentEncoding.decode(path), plain.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }),
            plain.utf8.count(where: { $0 == UInt8(ascii: "/") })
                == path.utf8.count(where: { $0 == UInt8(ascii: "/") }),
            !plain.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
                .contains(where: { ["", ".", ".."].contains($0) })
        else {
            throw ValueFault(
                "\(Quotation.of(text)) is no plain path", advice: "write one like /wstunnel")
        }
        return String(path)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }
}
