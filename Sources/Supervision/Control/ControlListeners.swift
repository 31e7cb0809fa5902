import AdminAPI
import Glibc
import Logging
import NIOCore
import Observability
import Reconciliation
import TunnelConfiguration
import TunnelServer
import TunnelTransport

/// Where the agent is asked for its status and for reloads: the control socket and the admin listener.
struct ControlListeners {
    var socket: BoundControlSocket?
    var local: AdminServer?
    var adminSocket: ListeningSocket?
    var admin: AdminServer?

    /// Takes no new requests; those under way are answered.
    mutating func stop() {
        local?.stop()
        admin?.stop()
        socket?.remove()
        self = ControlListeners()
    }
}

extension Supervisor {
    /// Puts new listeners in the place of old ones, as far as the plan changes them.
    func commitControl(
        _ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup
    ) async {
        if machine.isStarting || plan.agentChanges.contains("control-socket") {
            control.local?.stop()
            control.socket?.remove()
            control.socket = preparation.controlSocket
            control.local = nil
        }
        if let descriptor = preparation.controlSocket?.takeDescriptor() {
            control.local = await serve(
                descriptor, .localUser, in: &group,
                admits: { PeerCredentials(descriptor: $0)?.mayCommand() ?? false })
        }
        guard machine.isStarting || plan.agentChanges.contains("admin") else { return }
        control.admin?.stop()
        control.admin = nil
        guard let admin = plan.result.admin else {
            control.adminSocket = nil
            return
        }
        if let socket = preparation.adminSocket { control.adminSocket = socket }
        guard let socket = control.adminSocket else { return }
        do {
            control.admin = await serve(try socket.duplicate(), .token(admin.token), in: &group)
        } catch {
            complain(error)
        }
        logger.info(
            "Admin API listening",
            metadata: [.listenerAddress: "\(hostAndPort(socket.host, socket.port))"])
    }

    private func serve(
        _ descriptor: CInt, _ access: AdminServer.Access, in group: inout DiscardingTaskGroup,
        admits: @escaping @Sendable (CInt) -> Bool = { _ in true }
    ) async -> AdminServer? {
        do {
            let server = try await AdminServer.start(
                on: descriptor, group: means.group, access: access,
                control: SupervisorControl(supervisor: self), logger: logger, admits: admits)
            group.addTask { await server.run() }
            return server
        } catch {
            complain(error)
            return nil
        }
    }

    private func complain(_ error: any Error) {
        logger.error("Cannot serve the admin API", metadata: [.errorMessage: "\(error)"])
    }
}
