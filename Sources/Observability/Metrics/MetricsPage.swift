internal import AgentStatus

/// What `/metrics` shows: everything that the catalogue has, of one moment. Pure.
package struct MetricsPage: Sendable {
    private typealias Catalogue = MetricCatalogue
    /// About as many bytes as each has, for the room that is made at once.
    private static let (bytesOfServer, bytesOfTunnel) = (16 << 10, 1536)

    private let agent: AgentMeasures
    private let servers: [ServerMeasures]
    private let tunnels: [TunnelMeasures]

    /// Names of servers are unique, and those of tunnels.
    package init(_ agent: AgentMeasures, servers: [ServerMeasures], tunnels: [TunnelMeasures]) {
        self.agent = agent
        self.servers = servers.sorted { $0.name < $1.name }
        self.tunnels = tunnels.inOrder { $0.name < $1.name }
    }

    package func bytes(as format: MetricsFormat) -> [UInt8] {
        var page = MetricsWriter(
            format, capacity: servers.count * Self.bytesOfServer + tunnels.count * Self.bytesOfTunnel + 16384)
        writeAgent(to: &page)
        writeProcess(to: &page)
        writeRecords(to: &page)
        writeServers(to: &page)
        writeTunnels(to: &page)
        return page.finished()
    }

    // MARK: The agent

    private func writeAgent(to page: inout MetricsWriter) {
        page.begin(Catalogue.build)
        page.add(MetricNumber(1), agent.version)
        page.begin(Catalogue.phase)
        for phase in [AgentSnapshot.Phase.starting, .running, .reloading, .stopping] {
            page.add(MetricNumber(phase == agent.phase), phase.rawValue)
        }
        page.begin(Catalogue.generation)
        page.add(MetricNumber(agent.generation))
        page.begin(Catalogue.reloads)
        for outcome in [ReloadSnapshot.Outcome.applied, .unchanged, .refused] {
            page.add(MetricNumber(agent.reloads[outcome] ?? 0), outcome.rawValue)
        }
        page.begin(Catalogue.reloadSucceeded)
        page.add(MetricNumber(agent.lastReload?.outcome != .refused))
        page.begin(Catalogue.reloadTime)
        page.add(MetricNumber(agent.lastReload?.finishedAt ?? 0))
        page.begin(Catalogue.loadStage)
        page.add(MetricNumber(agent.loadStage))
        page.begin(Catalogue.loadRatio)
        for load in agent.loads { page.add(.ratio(load.used, of: load.limit), load.resource) }
        page.begin(Catalogue.receiveBufferUsed)
        page.add(MetricNumber(agent.receiveBufferUsed))
        page.begin(Catalogue.receiveBufferLimit)
        page.add(MetricNumber(agent.receiveBufferLimit))
        page.begin(Catalogue.spilled)
        page.add(MetricNumber(agent.spilledBytes))
        page.begin(Catalogue.linesDropped)
        for (sink, count) in agent.linesDropped { page.add(MetricNumber(count), sink) }
        page.begin(Catalogue.paused)
        for kind in PauseSnapshot.Kind.allCases {
            page.add(MetricNumber(agent.paused.count { $0.kind == kind }), kind.rawValue)
        }
        page.begin(Catalogue.blockedTokens)
        page.add(MetricNumber(agent.blockedTokens))
        page.begin(Catalogue.loopCPU)
        for (index, loop) in agent.loops.enumerated() {
            if let cpu = loop.cpu { page.add(.microseconds(cpu), "\(index)") }
        }
        page.begin(Catalogue.loopDelay)
        for (index, loop) in agent.loops.enumerated() {
            if let delay = loop.delay { page.add(.microseconds(delay), "\(index)") }
        }
    }

    private func writeProcess(to page: inout MetricsWriter) {
        let process = agent.process
        page.begin(Catalogue.resident)
        if let bytes = process.residentBytes { page.add(MetricNumber(bytes)) }
        page.begin(Catalogue.openFiles)
        if let count = process.openFiles { page.add(MetricNumber(count)) }
        page.begin(Catalogue.mostFiles)
        if let count = process.mostFiles { page.add(MetricNumber(count)) }
        page.begin(Catalogue.cpu)
        if let cpu = process.cpu { page.add(.microseconds(cpu)) }
        page.begin(Catalogue.startTime)
        if let time = process.startedAt { page.add(.milliseconds(time)) }
    }

    // MARK: Webhooks, spans, the history

    private func writeRecords(to page: inout MetricsWriter) {
        eachWebhook(Catalogue.webhookWaiting, &page) { MetricNumber($0.waiting) }
        eachWebhook(Catalogue.webhookDelivered, &page) { MetricNumber($0.delivered) }
        eachWebhook(Catalogue.webhookFailures, &page) { MetricNumber($0.failures) }
        eachWebhook(Catalogue.webhookDeadLetters, &page) { MetricNumber($0.deadLetters) }
        page.begin(Catalogue.tracingFault)
        if let tracing = agent.tracing { page.add(MetricNumber(tracing.fault != nil)) }
        page.begin(Catalogue.spansSent)
        if let tracing = agent.tracing { page.add(MetricNumber(tracing.spans)) }
        page.begin(Catalogue.tracingDropped)
        if let tracing = agent.tracing { page.add(MetricNumber(tracing.dropped)) }
        page.begin(Catalogue.tracingLimited)
        if let tracing = agent.tracing { page.add(MetricNumber(tracing.limited)) }
        let history = agent.history
        page.begin(Catalogue.historyFault)
        if history.file != nil { page.add(MetricNumber(history.fault != nil)) }
        page.begin(Catalogue.historyFile)
        if history.file != nil { page.add(MetricNumber(history.bytes)) }
        page.begin(Catalogue.historyLost)
        page.add(MetricNumber(history.lost))
    }

    private func eachWebhook(
        _ family: MetricFamily, _ page: inout MetricsWriter, _ number: (WebhookSnapshot) -> MetricNumber
    ) {
        page.begin(family)
        for webhook in agent.webhooks { page.add(number(webhook), webhook.name) }
    }

    // MARK: Servers

    private func writeServers(to page: inout MetricsWriter) {
        eachServer(Catalogue.listening, &page) { MetricNumber(!agent.notListening.contains($0.name)) }
        eachServer(Catalogue.started, &page) { MetricNumber($0.requests.began) }
        writeEnds(to: &page)
        eachServer(Catalogue.inFlight, &page) { MetricNumber($0.inFlight) }
        eachServer(Catalogue.queued, &page) { MetricNumber($0.waiting) }
        eachServer(Catalogue.requestBytes, &page) { MetricNumber($0.requests.requestBytes) }
        eachServer(Catalogue.responseBytes, &page) { MetricNumber($0.requests.responseBytes) }
        page.begin(Catalogue.durations)
        for server in servers {
            page.add(server.requests.whole, server.name, exemplars: agent.exemplars[server.name])
        }
        page.begin(Catalogue.parts)
        for server in servers {
            page.add(server.requests.queue, server.name, "queue")
            page.add(server.requests.tunnel, server.name, "tunnel")
            page.add(server.requests.origin, server.name, "origin")
        }
        eachServer(Catalogue.callers, &page) { MetricNumber($0.callers) }
        eachServer(Catalogue.sessions, &page) { MetricNumber($0.sessions) }
        eachServer(Catalogue.connected, &page) { MetricNumber($0.tunnels) }
        page.begin(Catalogue.roundTrips)
        for server in servers { page.add(server.roundTrip, server.name) }
        writeReasons(to: &page)
        eachServer(Catalogue.bans, &page) { MetricNumber($0.bans) }
        eachServer(Catalogue.banned, &page) { MetricNumber($0.banned) }
        page.begin(Catalogue.certificates)
        for certificate in agent.certificates {
            page.add(MetricNumber(certificate.expiry), certificate.server, certificate.use)
        }
    }

    private func writeEnds(to page: inout MetricsWriter) {
        page.begin(Catalogue.requests)
        for server in servers {
            for (status, count) in server.requests.statuses.enumerated() where count > 0 {
                page.add(MetricNumber(count), server.name, status == 0 ? "none" : "\(status)")
            }
        }
        page.begin(Catalogue.outcomes)
        for server in servers {
            for (outcome, count) in zip(AccessOutcome.allCases, server.requests.outcomes) {
                page.add(MetricNumber(count), server.name, outcome.rawValue)
            }
        }
    }

    private func writeReasons(to page: inout MetricsWriter) {
        let names = servers.map { MetricsWriter.escaped($0.name) }
        page.begin(Catalogue.handshakeFailures)
        for (server, name) in zip(servers, names) { page.add(server.handshakeFailures, of: name) }
        page.begin(Catalogue.sessionEnds)
        for (server, name) in zip(servers, names) { page.add(server.sessionEnds, of: name) }
        page.begin(Catalogue.refusals)
        for (server, name) in zip(servers, names) { page.add(server.refusals, of: name) }
        page.begin(Catalogue.limits)
        for server in servers {
            for (limit, count) in server.limitsReached.sorted(by: { $0.key < $1.key }) {
                page.add(MetricNumber(count), server.name, limit)
            }
        }
    }

    private func eachServer(
        _ family: MetricFamily, _ page: inout MetricsWriter, _ number: (ServerMeasures) -> MetricNumber
    ) {
        page.begin(family)
        for server in servers { page.add(number(server), server.name) }
    }

    // MARK: Tunnels

    private static let classes = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"]

    private func writeTunnels(to page: inout MetricsWriter) {
        // By places: a copy of each for every family would cost more than writing it.
        let names = tunnels.map { MetricsWriter.escaped($0.name) }
        func eachTunnel(
            _ family: MetricFamily, _ number: (borrowing TunnelMeasures) -> MetricNumber
        ) {
            page.begin(family)
            for (index, name) in names.enumerated() { page.add(number(tunnels[index]), escaped: name) }
        }
        func eachReason(
            _ family: MetricFamily, _ reasons: (borrowing TunnelMeasures) -> [ErrorCode: UInt64]
        ) {
            page.begin(family)
            for tunnel in tunnels.indices { page.add(reasons(tunnels[tunnel]), of: names[tunnel]) }
        }
        eachTunnel(Catalogue.tunnelSessions) { MetricNumber($0.sessions) }
        eachTunnel(Catalogue.tunnelWanted) { MetricNumber($0.wanted) }
        eachTunnel(Catalogue.tunnelStarted) { MetricNumber($0.requests.began) }
        page.begin(Catalogue.tunnelRequests)
        for (tunnel, name) in names.enumerated() {
            for (index, digit) in Self.classes.enumerated() {
                let count = tunnels[tunnel].requests.statusClasses[index]
                if count > 0 { page.add(MetricNumber(count), escaped: name, digit) }
            }
        }
        eachTunnel(Catalogue.tunnelInFlight) { MetricNumber($0.inFlight) }
        eachTunnel(Catalogue.tunnelRequestBytes) { MetricNumber($0.requests.requestBytes) }
        eachTunnel(Catalogue.tunnelResponseBytes) { MetricNumber($0.requests.responseBytes) }
        page.begin(Catalogue.tunnelOrigin)
        for (tunnel, name) in names.enumerated() {
            let microseconds = Int64(clamping: tunnels[tunnel].requests.originMicroseconds)
            page.add(
                sum: .microseconds(microseconds), count: tunnels[tunnel].requests.originAnswers, escaped: name
            )
        }
        page.begin(Catalogue.tunnelRoundTrips)
        for (tunnel, name) in names.enumerated() where tunnels[tunnel].roundTrip.count > 0 {
            page.add(
                sum: .microseconds(tunnels[tunnel].roundTrip.sum), count: tunnels[tunnel].roundTrip.count,
                escaped: name)
        }
        eachReason(Catalogue.dialFailures) { $0.dialFailures }
        eachReason(Catalogue.tunnelSessionEnds) { $0.sessionEnds }
        eachReason(Catalogue.originErrors) { $0.originErrors }
        page.begin(Catalogue.originConnections)
        for (tunnel, name) in names.enumerated() {
            page.add(MetricNumber(tunnels[tunnel].originConnectionsBusy), escaped: name, "busy")
            page.add(MetricNumber(tunnels[tunnel].originConnectionsIdle), escaped: name, "idle")
        }
        eachTunnel(Catalogue.originQueue) { MetricNumber($0.originWaiting) }
    }
}

extension MetricsWriter {
    /// Reasons that there were, in their order.
    fileprivate mutating func add(_ reasons: [ErrorCode: UInt64], of name: [UInt8]) {
        guard !reasons.isEmpty else { return }
        for (reason, count) in reasons.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where count > 0 {
            add(MetricNumber(count), escaped: name, reason.rawValue)
        }
    }
}
