import AdminAPI
import HostSystem
import NIOCore
import NIOPosix
import Observability
import Reconciliation
import TransportSecurity
import TunnelConfiguration

/// Makes pages of metrics: off the event loops, one after another, and one for all who ask for the same meanwhile.
@AgentActor final class MetricsDesk: AgentService {
    private let writing = Blocking()
    private let loops: [any EventLoop]
    private let exemplars: ExemplarCollector
    /// Those that are being made: there are few kinds.
    private var underWay: [MetricsQuestion: Task<MetricsAnswer?, Never>] = [:]
    /// Of servers, by name.
    private var certificates: [String: [AgentMeasures.Certificate]] = [:]

    init(_ means: AgentMeans) {
        loops = Array(means.group.makeIterator())
        exemplars = ExemplarCollector(means.log.requests)
    }

    func apply(_ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup) {
        for change in preparation.servers {
            switch change {
            case .start(let configuration, let security, _, _), .move(let configuration, let security, _, _),
                .update(let configuration, let security):
                let inner = security.innerTLS === security.tls ? nil : security.innerTLS
                certificates[configuration.name] = [("tls", security.tls), ("inner-tls", inner)]
                    .compactMap { use, tls in
                        tls?.expiry.map {
                            AgentMeasures.Certificate(server: configuration.name, use: use, expiry: $0)
                        }
                    }
            case .stop(let name, _): certificates[name] = nil
            }
        }
    }

    /// - Returns: nil where the agent ends.
    func answer(_ question: MetricsQuestion, of supervisor: Supervisor) async -> MetricsAnswer? {
        if let task = underWay[question] { return await task.value }
        let task = Task { await page(question, of: supervisor) }
        underWay[question] = task
        defer { underWay[question] = nil }
        return await task.value
    }

    private func page(_ question: MetricsQuestion, of supervisor: Supervisor) async -> MetricsAnswer? {
        let usages = await LoopUsage.of(loops)
        let servers = await supervisor.servers.measures()
        let tunnels = await supervisor.tunnels.measures()
        var agent = supervisor.measures
        agent.loops = usages.map { AgentMeasures.Loop(cpu: $0.cpu, delay: $0.delay) }
        let admin = supervisor.presence.held.adminTLS?.expiry.map {
            AgentMeasures.Certificate(server: nil, use: "admin", expiry: $0)
        }
        agent.certificates =
            [admin].compactMap(\.self) + certificates.sorted { $0.key < $1.key }.flatMap(\.value)
        if question.format == .openMetrics {
            agent.exemplars = exemplars.collect(ofServers: Set(servers.map(\.name)))
        }
        return await writing.runToTheEnd { [agent] in
            var agent = agent
            agent.process = AgentMeasures.Process(.now())
            let bytes = MetricsPage(agent, servers: servers, tunnels: tunnels).bytes(as: question.format)
            if question.isCompressed, let compressed = Gzip.compressed(bytes) {
                return MetricsAnswer(bytes: compressed, format: question.format, isCompressed: true)
            }
            return MetricsAnswer(
                bytes: ByteBuffer(bytes: bytes), format: question.format, isCompressed: false)
        }
    }
}

extension AgentMeasures.Process {
    fileprivate init(_ usage: ProcessUsage) {
        self.init()
        residentBytes = usage.residentBytes
        openFiles = usage.openFiles
        mostFiles = usage.mostFiles
        cpu = usage.cpu
        startedAt = usage.startedAt
    }
}
