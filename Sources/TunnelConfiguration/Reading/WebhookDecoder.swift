import AgentStatus
import YAMLDocument

/// `webhooks`.
extension MappingReader {
    /// Decodes `webhooks`: the enabled ones that are usable; problems are recorded.
    func webhooks() -> [WebhookConfiguration] {
        var places: [String: Int] = [:]
        let items = items(WebhookKeys.webhooks)
        if items.count > WebhookConfiguration.most, let field = field(WebhookKeys.webhooks) {
            pass.error(
                at: field.place, field.path, "\(items.count) webhooks are too many",
                advice: "keep \(WebhookConfiguration.most)")
        }
        return items.compactMap { item in
            guard var entry = MappingReader(item, .webhook, isOffline: isOffline, pass: pass) else {
                return nil
            }
            let isEnabled = entry.value(Keys.enabled)
            // What an entry that is not used would need may be missing.
            if !isEnabled { entry.isOffline = true }
            let webhook = entry.webhook()
            guard let name = entry.webhookName else { return nil }
            if let line = places[name] {
                let field = entry.field(Keys.name.declaration)
                pass.error(
                    at: field?.place ?? entry.place, field?.path ?? entry.path,
                    "\(Quotation.of(name)) is already the name of the webhook at line \(line)",
                    advice: "give each webhook a name of its own")
                return nil
            }
            places[name] = item.node.mark.line
            return isEnabled ? webhook : nil
        }
    }

    /// Its own, or that of the host.
    private var webhookName: String? {
        if let name = goodValue(Keys.name) ?? nil { return name }
        guard let host = (goodValue(WebhookKeys.url) ?? nil)?.host, TextRule.isName(host) else { return nil }
        return host
    }

    private func webhook() -> WebhookConfiguration? {
        require(
            WebhookKeys.url.declaration, advice: "add where events go, such as https://hooks.example.com/")
        let name = value(Keys.name)
        let url = value(WebhookKeys.url)
        if name == nil, let url, webhookName == nil, field(Keys.name.declaration) == nil {
            pass.error(
                at: place, path, "\"name\" is missing, and the host \(Quotation.of(url.host)) cannot be it",
                advice: "add one of letters, digits, _ . and -")
        }
        if let url, !url.isSecure, !url.isLoopback, let field = field(WebhookKeys.url.declaration) {
            pass.warning(
                at: field.place, field.path, "who can listen in on http:// reads what happens here",
                advice: "use https://")
        }
        let secret = webhookSecret()
        let kinds = Set(
            texts(WebhookKeys.events).compactMap { text, field -> AgentEvent.Kind? in
                do throws(ValueFault) {
                    return try WebhookKeys.kind(text)
                } catch {
                    pass.error(at: field.place, field.path, error.message, advice: error.advice)
                    return nil
                }
            })
        let (timeout, tries, age) = (
            value(WebhookKeys.timeout), value(WebhookKeys.maxTries), value(WebhookKeys.maxAge)
        )
        let trust = peerTrust()
        guard let name = webhookName, let url, let secret else { return nil }
        return WebhookConfiguration(
            name: name, url: url, secret: secret, kinds: kinds, timeout: timeout, mostTries: tries,
            longestAge: age, trust: trust)
    }

    private func webhookSecret() -> Secret? {
        if keysPresent(inGroup: WebhookKeys.secret.literal.name).isEmpty,
            !misses(WebhookKeys.secret.literal)
        {
            pass.error(
                at: place, path, "\"secret\" is missing: nobody could tell what comes from this agent",
                advice:
                    "add secret-file, secret or secret-command, of \(WebhookKeys.shortestSecret) characters or more"
            )
        }
        guard let found = secret(WebhookKeys.secret) else { return nil }
        checkPlaceholder(found.text, at: found.place, found.path, .error)
        guard found.text.count >= WebhookKeys.shortestSecret else {
            pass.error(
                at: found.place, found.path, "the secret has \(found.text.count) characters",
                advice: "choose one of \(WebhookKeys.shortestSecret) or more: openssl rand -hex 32 makes one")
            return nil
        }
        return Secret(found.text)
    }
}
