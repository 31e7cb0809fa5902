import AdminAPI
import AgentStatus
import HostSystem
import Reconciliation
import TransportSecurity
import TunnelConfiguration

/// What only one agent can have.
extension Preparer {
    /// What is prepared already is left; a second call tries the rest again.
    mutating func prepare(_ resources: inout ExclusiveResources) {
        if resources.pidfile == nil { resources.pidfile = preparePidfile() }
        if resources.automaticSocket == nil { resources.automaticSocket = prepareAutomaticSocket() }
        if resources.controlSocket == nil {
            resources.controlSocket = prepareControlSocket(besides: resources.automaticSocket)
        }
        if resources.adminSocket == nil { resources.adminSocket = prepareAdminSocket() }
        resources.adminTLS = prepareAdminTLS()
    }

    private mutating func preparePidfile() -> Pidfile? {
        guard let path = plan.result.pidfile else { return nil }
        // Perhaps under another name.
        if let held = ground.exclusives.pidfile, held.isAt(path) { return held }
        do throws(PidfileError) {
            // A file with a token of digits, or an empty one that is included, would look like a pidfile.
            guard !OutputPath.leads(path, toOneOf: ground.sources) else {
                throw PidfileError(path: path, reason: .configuration)
            }
            return try Pidfile(path: path)
        } catch {
            findings.add(error, isTaken: error.isTaken)
            return nil
        }
    }

    private mutating func prepareAutomaticSocket() -> BoundControlSocket? {
        guard ground.isStart else { return ground.exclusives.automaticSocket }
        guard let place = means.automaticControlSocket else { return nil }
        do throws(ControlSocketError) {
            try place.prepareFolder()
            return try BoundControlSocket(path: place.path)
        } catch {
            // It is a convenience, unless somebody else runs by this file.
            if error.isTaken {
                findings.taken.append(error.asSecondAgent)
            } else if plan.result.controlSocket == nil {
                findings.warnings.append("\(error)")
            }
            return nil
        }
    }

    private mutating func prepareControlSocket(besides automatic: BoundControlSocket?) -> BoundControlSocket?
    {
        guard let path = plan.result.controlSocket, automatic?.isAt(path) != true else { return nil }
        if let held = ground.exclusives.controlSocket, held.isAt(path) { return held }
        do throws(ControlSocketError) {
            return try BoundControlSocket(path: path)
        } catch {
            findings.add(error, isTaken: error.isTaken)
            return nil
        }
    }

    mutating func prepareAdminSocket() -> ListeningSocket? {
        guard let admin = plan.result.admin else { return nil }
        let held = ground.exclusives.adminSocket
        let before = ground.isStart ? nil : ground.running.admin
        guard before?.host != admin.host || before?.port != admin.port else { return held }
        do throws(ListenError) {
            return try reserved.reserve(
                "admin.listen", host: admin.host, port: admin.port, besides: [held].compactMap(\.self),
                patience: patience)
        } catch {
            findings.add(error, isTaken: error.isInUse)
            return nil
        }
    }

    @discardableResult mutating func prepareAdminTLS() -> ServerTLS? {
        guard let configuration = plan.result.admin?.tls else { return nil }
        do throws(TLSSetupError) {
            return try means.identities.tls(configuration)
        } catch {
            findings.faults.append("admin: \(error)")
            return nil
        }
    }

    /// Has the agent that runs by the same file let go of what only one can have. It finishes what it has in flight.
    ///
    /// - Parameter own: where ours stands by now there was nobody.
    /// - Returns: what it knows; nil where there is none, or it did not.
    mutating func takeOver(besides own: ExclusiveResources) -> Preparation.TakenOver? {
        // The file may have named another socket when that agent started.
        let paths = [means.automaticControlSocket?.path, plan.result.controlSocket].compactMap(\.self)
        let ownPaths = [own.automaticSocket?.path, own.controlSocket?.path]
        for path in paths where !ownPaths.contains(path) {
            let agent = AdminClient(socketPath: path)
            do throws(AdminClientError) {
                // One that is stuck keeps its callers: nothing of ours listens yet.
                _ = try agent.status()
                listen()
                guard findings.faults.isEmpty else { return nil }
                // One of before there were any cannot tell.
                let takenOver = Preparation.TakenOver(
                    bans: (try? agent.bans()) ?? [],
                    succession: (try? agent.succession()) ?? SuccessionSnapshot())
                try agent.handOver()
                return takenOver
            } catch  where error.isNobodyThere {
                continue
            } catch {
                findings.faults.append("cannot take over from the agent that runs: \(error)")
                return nil
            }
        }
        findings.warnings.append("there is no agent to take over from")
        return nil
    }
}
