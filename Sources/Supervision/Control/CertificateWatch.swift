import AgentStatus
import HostSystem
import Logging
import Observability
import Reconciliation
import TransportSecurity
import TunnelConfiguration

/// Tells of certificates that end soon: with each configuration, and once a day. That a configuration brings them, the log
/// was told when it was read.
@AgentActor final class CertificateWatch: AgentService {
    /// A certificate that is to be renewed.
    struct Warning: Hashable, Sendable {
        var server: String?
        var tunnel: String?
        /// What is the matter with it.
        let words: String
    }

    private static let interval: Duration = .seconds(86_400)
    /// Told at once.
    private static let most = 64

    private let logger: Logger
    private var configuration: AgentConfiguration?
    /// What readers of events know: a reload that changes nothing of it is no news.
    private var told: Set<Warning> = []

    init(logger: Logger) { self.logger = logger }

    func apply(_ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup) {
        let configuration = plan.result
        self.configuration = configuration
        let warnings = Self.warnings(of: configuration, at: UnixTime.now).prefix(Self.most)
        for warning in warnings where !told.contains(warning) {
            logger(of: warning).publish(.certificateExpires, warning.words)
        }
        told = Set(warnings)
    }

    /// Looks again and again until the task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: Self.interval)) != nil {
            guard let configuration else { continue }
            for warning in Self.warnings(of: configuration, at: UnixTime.now).prefix(Self.most) {
                logger(of: warning).tell(
                    .certificateExpires, .warning, "A certificate is to be renewed",
                    metadata: [.errorMessage: "\(warning.words)"])
            }
        }
    }

    private func logger(of warning: Warning) -> Logger {
        var logger = logger
        if let server = warning.server { logger[.serverName] = "\(server)" }
        if let tunnel = warning.tunnel { logger[.tunnelName] = "\(tunnel)" }
        return logger
    }

    /// What is to be said of the certificates that servers and tunnels show or believe, of each file once.
    nonisolated static func warnings(of configuration: AgentConfiguration, at now: Int) -> [Warning] {
        var known: Set<CertificateFile> = []
        var warnings: [Warning] = []
        func look(_ files: [CertificateFile?], server: String? = nil, tunnel: String? = nil) {
            for case let file? in files where known.insert(file).inserted {
                warnings += file.warnings(at: now).map { Warning(server: server, tunnel: tunnel, words: $0) }
            }
        }
        if let tls = configuration.admin?.tls {
            look(tls.certificates.map { Optional($0.keyPair.chain) } + [tls.clientAuthority])
        }
        for server in configuration.servers {
            let shown = (server.tls?.certificates ?? []).map { Optional($0.keyPair.chain) }
            look(shown + [server.tls?.clientAuthority, server.innerCertificate?.chain], server: server.name)
        }
        for tunnel in configuration.tunnels { look([tunnel.identity?.chain], tunnel: tunnel.name) }
        return warnings
    }
}
