import AgentStatus
import Logging
import NIOPosix
import Observability
import Reconciliation
import TunnelConfiguration
import Webhooks

/// The webhooks of an agent: each tells a web server of events for as long as the configuration says so.
@AgentActor final class WebhookKeeper: AgentService {
    private let means: AgentMeans
    private let logger: Logger
    private var running: [String: Webhook] = [:]
    private var isStart = true

    init(_ means: AgentMeans) {
        self.means = means
        logger = means.log.makeLogger(label: "webhook")
    }

    /// Puts others in force. One whose name stays keeps what it has yet to tell; a new one is told of what happens from now on,
    /// those of the start of all.
    func apply(_ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup) {
        guard let prepared = preparation.webhooks else { return }
        let feed = means.log.events.feed
        let place = isStart ? 0 : feed.last
        isStart = false
        let wanted = Set(prepared.map(\.configuration.name))
        for name in running.keys where !wanted.contains(name) { running.removeValue(forKey: name)?.end() }
        for webhook in prepared {
            let name = webhook.configuration.name
            if let old = running[name] {
                old.apply(webhook)
                continue
            }
            let new = Webhook(
                webhook, feed: feed, after: place, on: means.group.next(), software: means.software,
                logger: logger)
            running[name] = new
            group.addTask { await new.run() }
        }
    }

    /// Has all of them tell what they have yet to tell, each once.
    ///
    /// - Parameter patience: what has not been told then is lost.
    func finish(within patience: Duration) async {
        let webhooks = Array(running.values)
        guard !webhooks.isEmpty else { return }
        for webhook in webhooks { webhook.end() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for webhook in webhooks { await webhook.untilEnded() } }
            group.addTask { try? await Task.sleep(for: patience) }
            await group.next()
            group.cancelAll()
        }
    }

    /// By name; nil where there are none.
    var snapshots: [WebhookSnapshot]? {
        running.isEmpty ? nil : running.values.map(\.snapshot).sorted { $0.name < $1.name }
    }
}

extension Preparer {
    /// - Returns: nil where they are as before, and where one cannot be used.
    mutating func prepareWebhooks() -> [PreparedWebhook]? {
        let wanted = plan.result.webhooks
        guard ground.isStart || wanted != ground.running.webhooks else { return nil }
        var prepared: [PreparedWebhook] = []
        for webhook in wanted {
            let made = findings.attempt(of: "webhooks[\(webhook.name)]") {
                try PreparedWebhook(webhook, hasSystemRoots: means.hasSystemRoots)
            }
            guard let made else { return nil }
            prepared.append(made)
        }
        return prepared
    }
}
