/// What the key `proxy` says.
enum ProxyChoice: Hashable, Sendable {
    /// Nothing: the environment decides.
    case environment
    /// `none`: no proxy, whatever the environment says.
    case direct
    case proxy(ProxyURL)

    static let directText = "none"

    static func parse(_ text: String) throws(ValueFault) -> ProxyChoice {
        switch text {
        case "": .environment
        case directText: .direct
        default: .proxy(try ProxyURL.parse(text))
        }
    }
}

extension ProxyURL {
    /// Reads `http://[user:password@]host[:port]`; the scheme may be missing.
    static func parse(_ text: String) throws(ValueFault) -> ProxyURL {
        let whole = text.contains("://") ? text : "http://" + text
        let example = "http://user:password@proxy.example.com:3128"
        let url = try urlText(whole, example: example)
        guard url.scheme == "http" else {
            throw ValueFault(
                "\(shownURL(whole)) is not supported: wstunnel speaks plain HTTP to proxies",
                advice: "write http://host:port; the tunnel inside it is encrypted all the same with wss://")
        }
        guard url.path.isEmpty || url.path == "/", !url.hasQueryOrFragment else {
            if let fault = rawPasswordFault(whole) { throw fault }
            throw ValueFault(
                "\(shownURL(whole)) has a path or query", advice: "remove what follows host and port")
        }
        return ProxyURL(
            host: url.host, port: url.port ?? 80, credentials: try urlCredentials(url.userinfo))
    }
}

/// The proxy that the environment asks for, by the rules of curl.
enum EnvironmentProxy {
    /// In the order of their precedence; empty ones do not count.
    static let variables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]
    static let exceptionVariables = ["NO_PROXY", "no_proxy"]

    /// - Parameters:
    ///   - variable: the value of an environment variable, or nil.
    ///   - warn: told what is wrong with a variable that can be used all the same. Many programs share it, and some
    ///     take `https://` there for no more than `http://`.
    /// - Returns: nil when the host is to be dialled directly.
    static func proxy(
        forHost host: String, port: Int, variable: (String) -> String?, warn: (ValueFault) -> Void
    ) throws(ValueFault) -> ProxyURL? {
        func first(of names: [String]) -> (name: String, value: String)? {
            for name in names {
                if let value = variable(name), !value.isEmpty { return (name, value) }
            }
            return nil
        }
        guard let (name, value) = first(of: variables) else { return nil }
        if let exceptions = first(of: exceptionVariables)?.value,
            matches(host: host, port: port, exceptions: exceptions)
        {
            return nil
        }
        do {
            let isSecure = value.lowercased().hasPrefix("https://")
            let proxy = try ProxyURL.parse(isSecure ? "http" + value.dropFirst("https".count) : value)
            if isSecure {
                warn(
                    ValueFault(
                        "\(name) in the environment: https:// is taken for http://, wstunnel speaks plain HTTP to proxies",
                        advice: "set proxy to say so, or none"))
            }
            return proxy
        } catch {
            let advice = error.advice.map { "\($0), or set proxy: none" } ?? "set proxy: none"
            throw ValueFault("\(name) in the environment: \(error.message)", advice: advice)
        }
    }

    /// Whether a `NO_PROXY` list names a host: `*`, a name (and all below it), `.name` (all below it), an address,
    /// a CIDR range; each but the last with `:port` if only that port is meant.
    static func matches(host: String, port: Int, exceptions: String) -> Bool {
        let host = normal(host)
        let address = IPAddressText.bytes(of: host)
        return exceptions.split(whereSeparator: { ", \t".contains($0) }).contains { item in
            if item == "*" { return true }
            if item.contains("/") { return address != nil && AddressRange(item)?.contains(host) == true }
            let (name, onlyPort) = split(String(item))
            guard onlyPort == nil || onlyPort == port else { return false }
            if let range = AddressRange(name) { return range.contains(host) }
            let suffix = normal(name.hasPrefix("*.") ? String(name.dropFirst()) : name)
            guard !suffix.isEmpty, address == nil else { return false }
            if suffix.hasPrefix(".") { return host.hasSuffix(suffix) && host != suffix }
            return host == suffix || host.hasSuffix("." + suffix)
        }
    }

    private static func normal(_ host: String) -> String {
        let lowered = host.lowercased()
        return lowered.hasSuffix(".") ? String(lowered.dropLast()) : lowered
    }

    /// `host`, `host:port`, `[IPv6]`, `[IPv6]:port` or a bare IPv6 address. A port that is none makes the item
    /// match nothing.
    private static func split(_ item: String) -> (host: String, port: Int?) {
        if item.hasPrefix("["), let close = item.firstIndex(of: "]") {
            let host = String(item[item.index(after: item.startIndex)..<close])
            let rest = item[item.index(after: close)...]
            return rest.isEmpty ? (host, nil) : (host, Int(rest.dropFirst()) ?? -1)
        }
        guard let colon = item.firstIndex(of: ":"), colon == item.lastIndex(of: ":") else {
            return (item, nil)
        }
        return (String(item[..<colon]), Int(item[item.index(after: colon)...]) ?? -1)
    }
}
