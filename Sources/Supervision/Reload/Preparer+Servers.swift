import HostSystem
import Reconciliation
import TransportSecurity
import TunnelConfiguration

/// TLS of a server: with everybody who connects, and inside what carries tunnels; nil where there is none.
struct ServerSecurity: Sendable {
    var tls: ServerTLS?
    var innerTLS: ServerTLS?
}

/// A change of a server for which all is there.
enum PreparedServer: Sendable {
    /// - predecessor: the server that had the socket until now.
    case start(ServerConfiguration, ServerSecurity, on: ListeningSocket, predecessor: String?)
    /// The server goes to another socket; `isHandedOn` says whether a third one takes over that of before.
    case move(ServerConfiguration, ServerSecurity, to: ListeningSocket, isHandedOn: Bool)
    case update(ServerConfiguration, ServerSecurity)
    case stop(name: String, isHandedOn: Bool)

    /// Whether the server goes: only when those are there that come.
    var isEnd: Bool { if case .stop = self { true } else { false } }
}

extension Preparer {
    /// Finds or reserves a socket for each server that starts or moves; makes what TLS takes.
    mutating func prepareServers() -> [PreparedServer] {
        warnOfUnusedSockets()
        let sources = assignListeners(
            plan.servers, running: ground.running.servers, inherited: Set(means.inherited.keys))
        let handedOn = Set(
            sources.values.compactMap { if case .takenOver(let owner) = $0 { owner } else { nil } })
        let leaving = plan.servers.compactMap { change -> ListeningSocket? in
            if case .update = change { nil } else { ground.sockets[change.name] }
        }
        return plan.servers.compactMap { change in
            let isHandedOn = handedOn.contains(change.name)
            let tls = change.specification.map { makeTLS(of: $0) } ?? ServerSecurity()
            switch change {
            case .start(let configuration):
                guard let source = sources[change.name],
                    let socket = socket(for: configuration, from: source, besides: leaving)
                else { return nil }
                let predecessor: String? = if case .takenOver(let owner) = source { owner } else { nil }
                return .start(configuration, tls, on: socket, predecessor: predecessor)
            case .replace(let configuration, _):
                return sources[change.name]
                    .flatMap { socket(for: configuration, from: $0, besides: leaving) }
                    .map { .move(configuration, tls, to: $0, isHandedOn: isHandedOn) }
            case .update(let configuration, _): return .update(configuration, tls)
            case .stop(let name): return .stop(name: name, isHandedOn: isHandedOn)
            }
        }
    }

    /// What cannot be used is noted.
    private mutating func makeTLS(of server: ServerConfiguration) -> ServerSecurity {
        let inner = server.innerCertificate.map {
            ListenerTLS(certificates: [ServedCertificate(hosts: [], keyPair: $0)])
        }
        return ServerSecurity(tls: makeTLS(server.tls, of: server), innerTLS: makeTLS(inner, of: server))
    }

    private mutating func makeTLS(_ configuration: ListenerTLS?, of server: ServerConfiguration) -> ServerTLS?
    {
        guard let configuration else { return nil }
        do throws(TLSSetupError) {
            return try means.identities.tls(configuration)
        } catch {
            findings.faults.append("servers[\(server.name)]: \(error)")
            return nil
        }
    }

    private mutating func socket(
        for server: ServerConfiguration, from source: ListenerSource, besides leaving: [ListeningSocket]
    ) -> ListeningSocket? {
        switch source {
        case .inherited: return means.inherited[server.name]
        case .takenOver(let owner): return ground.sockets[owner]
        case .bound:
            do throws(ListenError) {
                return try reserved.reserve(
                    "servers[\(server.name)]", host: server.host, port: server.port,
                    reusePort: server.reusePort, besides: leaving, patience: patience)
            } catch {
                let hint = "--takeover needs reuse-port: true in both, the agent that runs and this one"
                findings.faults.append(means.takesOver && error.isInUse ? "\(error). \(hint)" : "\(error)")
                return nil
            }
        }
    }

    /// Callers wait for ever in the queue of a socket that no server takes.
    private mutating func warnOfUnusedSockets() {
        let wanted = Set(plan.result.servers.map(\.name))
        let before = Set(ground.running.servers.map(\.name))
        for name in means.inherited.keys.sorted()
        where !wanted.contains(name) && (ground.isStart || before.contains(name)) {
            findings.warnings.append(
                "socket activation: no server is named \"\(name)\", so nobody answers on that socket — set FileDescriptorName= in its socket unit to the name of a server"
            )
        }
    }
}
