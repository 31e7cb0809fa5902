/// Webhooks for people.
enum WebhookRendering {
    /// - Returns: nil where there are none.
    static func table(_ snapshot: AgentSnapshot) -> TextTable? {
        var table = TextTable(
            ["WEBHOOK", "STATE", "ADDRESS", "WAITING", "DELIVERED", "FAILED TRIES", "DEAD LETTERS", "LAST"],
            numeric: [3, 4, 5, 6], expendable: [5, 7])
        for webhook in snapshot.webhooks ?? [] {
            let last = webhook.lastDeliveredAt.map {
                "\(DurationWords.of(from: $0, to: snapshot.takenAt)) ago"
            }
            table.add(
                [
                    webhook.name, webhook.fault == nil ? "ok" : "failing", webhook.address,
                    "\(webhook.waiting)", "\(webhook.delivered)", "\(webhook.failures)",
                    "\(webhook.deadLetters)", last ?? "-",
                ], [1: webhook.fault == nil ? .green : .red])
        }
        return table.isEmpty ? nil : table
    }
}
