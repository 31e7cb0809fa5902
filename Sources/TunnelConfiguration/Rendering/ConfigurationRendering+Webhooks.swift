import AgentStatus

/// `webhooks`.
extension ConfigurationRendering {
    static func write(_ webhooks: [WebhookConfiguration], to text: inout ConfigurationText) {
        guard !webhooks.isEmpty else { return }
        text.line(0, "\(WebhookKeys.webhooks.name):")
        for webhook in webhooks {
            text.line(2, "- \(Keys.name.declaration.name): \(webhook.name)")
            text.entry(4, Keys.enabled, plain: true)
            text.entry(4, WebhookKeys.url, text: words(webhook.url))
            text.secret(4, WebhookKeys.secret.literal)
            text.texts(4, WebhookKeys.events, webhook.kinds.map(\.rawValue))
            text.entry(4, WebhookKeys.timeout, webhook.timeout)
            text.entry(4, WebhookKeys.maxTries, plain: webhook.mostTries)
            text.entry(4, WebhookKeys.maxAge, webhook.longestAge)
            write(webhook.trust, 4, to: &text)
        }
    }

    /// Without what may be a secret in it.
    private static func words(_ url: WebhookURL) -> String {
        let place = url.target.secret == "/" ? "/" : "/\(Secret.stars)"
        guard url.credentials != nil, let end = url.shown.firstRange(of: "://") else {
            return url.shown + place
        }
        return url.shown[..<end.upperBound] + "\(Secret.stars)@" + url.shown[end.upperBound...] + place
    }
}
