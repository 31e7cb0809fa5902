import AdminAPI
import AgentStatus
import HTTPMessage
import HostSystem
import Logging
import Observability
import TransportSecurity
import TunnelConfiguration

/// What only one process can have.
struct ExclusiveResources: Sendable {
    var pidfile: Pidfile?
    /// Where commands find the agent by its configuration file, whatever that says.
    var automaticSocket: BoundControlSocket?
    /// Where the configuration puts it.
    var controlSocket: BoundControlSocket?
    var adminSocket: ListeningSocket?
    /// What is spoken there; nil for plain HTTP.
    var adminTLS: ServerTLS?

    /// Leaves nothing where others would look.
    func remove() {
        pidfile?.remove()
        automaticSocket?.remove()
        controlSocket?.remove()
    }
}

/// By what the agent is known on its machine: the pidfile, and where it is asked for its status and for reloads, the
/// control socket and the admin listener.
@AgentActor final class AgentPresence {
    private let means: AgentMeans
    private let logger: Logger
    private(set) var held = ExclusiveResources()
    private var automaticServer: AdminServer?
    private var server: AdminServer?
    private var admin: AdminServer?
    /// By what it was opened.
    private var adminConfiguration: AdminConfiguration?

    init(_ means: AgentMeans, logger: Logger) {
        self.means = means
        self.logger = logger
    }

    /// Puts new resources in the place of old ones, as far as they differ.
    ///
    /// - Parameter control: what is asked there.
    func apply(
        _ new: ExclusiveResources, admin configuration: AdminConfiguration?, control: any AgentControl,
        in group: inout DiscardingTaskGroup
    ) async {
        let old = held
        held = new
        if old.pidfile !== new.pidfile { old.pidfile?.remove() }
        if let socket = new.automaticSocket, socket !== old.automaticSocket {
            automaticServer = await serve(socket, control, in: &group)
        }
        if old.controlSocket !== new.controlSocket {
            server?.stop()
            old.controlSocket?.remove()
            server = nil
            if let socket = new.controlSocket { server = await serve(socket, control, in: &group) }
        }
        guard old.adminSocket !== new.adminSocket || adminConfiguration != configuration else { return }
        adminConfiguration = configuration
        let access = configuration.map { AdminAccess($0, tls: new.adminTLS) }
        warnOfCertificates(new.adminTLS)
        // The listener and its connections go on where only other things are asked of who comes.
        if old.adminSocket === new.adminSocket, let admin, let access { return admin.update(access) }
        admin?.stop()
        admin = nil
        guard let socket = new.adminSocket, let access else { return }
        admin = await serve(access, control, in: &group) { try socket.duplicate() }
        guard admin != nil else { return }
        logger.info(
            "Admin API listening",
            metadata: [.listenerAddress: "\(hostAndPort(socket.host, socket.port))"])
    }

    private func warnOfCertificates(_ tls: ServerTLS?) {
        for warning in tls?.warnings(at: UnixTime.now) ?? [] {
            logger.warning(
                "Admin API: a certificate is to be renewed", metadata: [.errorMessage: "\(warning)"])
        }
    }

    private func serve(
        _ socket: BoundControlSocket, _ control: any AgentControl, in group: inout DiscardingTaskGroup
    ) async -> AdminServer? {
        guard let descriptor = socket.takeDescriptor() else { return nil }
        return await serve(
            .localUser, control, in: &group,
            admits: { PeerCredentials(descriptor: $0)?.mayCommand() ?? false }, on: { descriptor })
    }

    private func serve(
        _ access: AdminAccess, _ control: any AgentControl, in group: inout DiscardingTaskGroup,
        admits: @escaping @Sendable (CInt) -> Bool = { _ in true }, on descriptor: () throws -> CInt
    ) async -> AdminServer? {
        do {
            let server = try await AdminServer.start(
                on: try descriptor(), group: means.group, access: access, control: control, logger: logger,
                admits: admits)
            group.addTask { await server.run() }
            return server
        } catch {
            logger.tell(
                .error, .error, "Cannot serve the admin API", metadata: [.errorMessage: "\(error)"])
            return nil
        }
    }

    /// Takes no new requests and gives everything up; requests under way are answered.
    func end() {
        for server in [automaticServer, server, admin] { server?.stop() }
        (automaticServer, server, admin) = (nil, nil, nil)
        adminConfiguration = nil
        held.remove()
        held = ExclusiveResources()
    }

    /// Does so, and returns when the admin's port is free.
    func handOver() async {
        let admin = admin
        end()
        await admin?.untilClosed()
    }
}
