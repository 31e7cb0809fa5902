// What people write of a request. What is wrong is told without repeating it where it may hold a secret.
extension ExplanationQuery {
    /// - Parameters:
    ///   - url: absolute, `http` or `https`. A fragment is left out, as programs do that send requests.
    ///   - fields: each `Name: value`. One that is `Host` takes the place of the URL's.
    /// - Throws: what is wrong with one of them.
    package init(
        method: String, url: String, fields lines: [String], from: String, certificateName: String? = nil,
        server: String? = nil
    ) throws(ActionError) {
        try Self.checkMethod(method)
        let (isSecure, authority, target) = try Self.parts(of: url)
        let (host, port) = try Self.hostAndPort(authority)
        var fields: [Field] = []
        for line in lines { fields.append(try Self.field(line)) }
        if !fields.contains(where: { $0.name.lowercased() == "host" }) {
            fields.insert(Field("Host", String(authority)), at: 0)
        }
        self.init(
            method: method, isSecure: isSecure, host: host, port: port ?? (isSecure ? 443 : 80),
            target: target, fields: fields, from: from, certificateName: certificateName, server: server)
    }

    private static func checkMethod(_ method: String) throws(ActionError) {
        let isToken = method.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        guard isToken, (1...32).contains(method.utf8.count) else {
            throw ActionError(400, "the method is no word of HTTP — write GET, POST or the like")
        }
    }

    private static func parts(
        of url: String
    ) throws(ActionError) -> (isSecure: Bool, authority: Substring, target: String) {
        let lowercased = url.prefix(8).lowercased()
        let scheme =
            lowercased.hasPrefix("http://") ? "http://" : lowercased.hasPrefix("https://") ? "https://" : ""
        guard !scheme.isEmpty else {
            throw ActionError(
                400,
                "the URL begins with neither http:// nor https:// — write it whole, as http://host:port/path")
        }
        guard url.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }) else {
            throw ActionError(400, "the URL holds white space — write %20")
        }
        let rest = url.dropFirst(scheme.utf8.count).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else {
            throw ActionError(
                400,
                "the URL holds a user — leave it out, and give --header \"Authorization: Basic …\", or @FILE "
                    + "with that line")
        }
        let target = rest[authority.endIndex...]
        return (scheme == "https://", authority, (target.first == "/" ? "" : "/") + target)
    }

    private static func hostAndPort(
        _ authority: Substring
    ) throws(ActionError) -> (host: String, port: Int?) {
        var (host, port) = (authority, authority[authority.endIndex...])
        let bracket = authority.lastIndex(of: "]")
        if let colon = authority.lastIndex(of: ":"), bracket.map({ $0 < colon }) ?? true {
            (host, port) = (authority[..<colon], authority[authority.index(after: colon)...])
        }
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        if host.last == "." { host.removeLast() }
        guard !host.isEmpty else { throw ActionError(400, "the URL names no host") }
        guard host.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw ActionError(
                400, "the URL's host is not ASCII — write it as DNS has it, with xn-- in front of such labels"
            )
        }
        guard bracket != nil || !host.contains(":") else {
            throw ActionError(400, "an IPv6 address in a URL stands in brackets — write http://[::1]:8080/")
        }
        guard !port.isEmpty else { return (host.lowercased(), nil) }
        guard port.utf8.count <= 5, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(port), (1...65_535).contains(number)
        else { throw ActionError(400, "the URL's port is no number from 1 to 65535") }
        return (host.lowercased(), number)
    }

    private static func field(_ line: String) throws(ActionError) -> Field {
        guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else {
            throw ActionError(400, "a header has no colon — write \"Name: value\"")
        }
        let name = line[..<colon]
        guard name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw ActionError(400, "a header's name holds white space — write \"Name: value\"")
        }
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        guard value.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f || $0 == "\t" }) else {
            throw ActionError(400, "the value of \(name) holds a control character")
        }
        return Field(String(name), String(value))
    }
}
