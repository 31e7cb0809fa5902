import AdminAPI
import Glibc
import HTTPMessage
import HostSystem
import Logging
import NIOCore
import Observability
import Reconciliation
import TunnelConfiguration
import TunnelServer
import TunnelTransport

/// Where the agent is asked for its status and for reloads: the control socket and the admin listener.
struct ControlListeners {
    /// Where commands find the agent by its configuration file, whatever that says.
    var automatic: BoundControlSocket?
    var automaticServer: AdminServer?
    /// Where the configuration puts it.
    var socket: BoundControlSocket?
    var server: AdminServer?
    var adminSocket: ListeningSocket?
    var admin: AdminServer?
    /// Who may ask the admin API.
    var adminToken: Secret?

    /// Takes no new requests; those under way are answered.
    mutating func stop() {
        automaticServer?.stop()
        server?.stop()
        admin?.stop()
        removeSockets()
        self = ControlListeners()
    }

    /// Leaves nothing where commands would look.
    func removeSockets() {
        automatic?.remove()
        socket?.remove()
    }
}

extension Supervisor {
    /// Puts new listeners in the place of old ones, as far as the plan changes them.
    func commitControl(
        _ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup
    ) async {
        if let socket = preparation.automaticControlSocket {
            control.automatic = socket
            control.automaticServer = await serveLocally(socket, in: &group)
        }
        if control.socket !== preparation.controlSocket {
            control.server?.stop()
            control.socket?.remove()
            control.socket = preparation.controlSocket
            control.server = nil
            if let socket = preparation.controlSocket {
                control.server = await serveLocally(socket, in: &group)
            }
        }
        guard
            control.adminSocket !== preparation.adminSocket || control.adminToken != plan.result.admin?.token
        else { return }
        control.admin?.stop()
        control.admin = nil
        control.adminSocket = preparation.adminSocket
        control.adminToken = plan.result.admin?.token
        guard let socket = control.adminSocket, let token = control.adminToken else { return }
        control.admin = await serve(.token(token), in: &group) { try socket.duplicate() }
        guard control.admin != nil else { return }
        logger.info(
            "Admin API listening",
            metadata: [.listenerAddress: "\(hostAndPort(socket.host, socket.port))"])
    }

    private func serveLocally(
        _ socket: BoundControlSocket, in group: inout DiscardingTaskGroup
    ) async -> AdminServer? {
        guard let descriptor = socket.takeDescriptor() else { return nil }
        return await serve(
            .localUser, in: &group, admits: { PeerCredentials(descriptor: $0)?.mayCommand() ?? false },
            on: { descriptor })
    }

    private func serve(
        _ access: AdminServer.Access, in group: inout DiscardingTaskGroup,
        admits: @escaping @Sendable (CInt) -> Bool = { _ in true }, on descriptor: () throws -> CInt
    ) async -> AdminServer? {
        do {
            let server = try await AdminServer.start(
                on: try descriptor(), group: means.group, access: access,
                control: SupervisorControl(supervisor: self), logger: logger, admits: admits)
            group.addTask { await server.run() }
            return server
        } catch {
            logger.error("Cannot serve the admin API", metadata: [.errorMessage: "\(error)"])
            return nil
        }
    }
}
