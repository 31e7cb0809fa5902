import AgentStatus

/// The keys of an entry of `webhooks`.
enum WebhookKeys {
    static let webhooks = KeyDeclaration(
        "webhooks", .list(.webhook), "Web servers that are told of events.")

    /// Hidden in excerpts, as path, query and user may be secrets.
    static let url = ScalarKey<WebhookURL?>(
        declaration: KeyDeclaration(
            "url", .secret, "Where events go by POST: http:// or https://, user and password if need be."),
        defaultValue: nil, parse: { value throws(ValueFault) in try WebhookURL.parse(value.text) })
    static let secret = SecretKeys("secret", "What signs each of them, 16 characters or more.")
    static let events = KeyDeclaration(
        "events", .texts, "The kinds of events that it is told of, such as session-down; by default all.")
    static let timeout = ScalarKey<Duration>.duration(
        "timeout", .milliseconds(100) ... .seconds(300), default: .seconds(10), "How long one try may take")
    static let maxTries = ScalarKey<Int>.integer(
        "max-tries", 1...1000, default: 20, "Tries for one event, after which it is given up.")
    static let maxAge = ScalarKey<Duration>.duration(
        "max-age", .seconds(1) ... .seconds(7 * 86_400), default: .seconds(3600),
        "How old an event may be that is still sent")

    static let all =
        [Keys.name.declaration, Keys.enabled.declaration, url.declaration] + secret.declarations
        + [
            events, timeout.declaration, maxTries.declaration, maxAge.declaration,
            Keys.insecure.declaration, Keys.certFile.declaration, TLSKeys.pins,
            TLSKeys.serverName.declaration,
        ]

    /// Least characters of a secret, as of a token.
    static let shortestSecret = 16

    static func kind(_ text: String) throws(ValueFault) -> AgentEvent.Kind {
        if let kind = AgentEvent.Kind(rawValue: text) { return kind }
        throw ValueRule.noChoice(text, among: AgentEvent.Kind.allCases.map(\.rawValue))
    }
}

extension WebhookURL {
    /// Reads an http:// or https:// URL. What is wrong with it is told without its text, which may be a secret.
    static func parse(_ text: String) throws(ValueFault) -> WebhookURL {
        let example = "https://hooks.example.com/wstunnel"
        let url: URLText
        do throws(URLText.Fault) {
            url = try URLText(text)
        } catch {
            throw ValueFault(
                "the URL \(error.rawValue)",
                advice: error == .foreignHost ? ForeignHost.advice : "write one like \(example)")
        }
        guard url.scheme == "http" || url.scheme == "https" else {
            throw ValueFault("the URL is no web address", advice: "write http:// or https://")
        }
        let rest = text[(text.firstRange(of: "://")?.upperBound ?? text.endIndex)...]
        var target = String(rest[(rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex)...])
        guard !target.contains("#") else {
            throw ValueFault("the URL has a fragment", advice: "remove the \"#\" and what follows it")
        }
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw ValueFault("the URL has letters beyond ASCII", advice: "percent-encode them")
        }
        if !target.hasPrefix("/") { target = "/" + target }
        return WebhookURL(
            isSecure: url.scheme == "https", host: url.host,
            port: url.port ?? (url.scheme == "https" ? 443 : 80), target: Secret(target),
            credentials: try urlCredentials(url.userinfo))
    }
}
