import AdminAPI
import ArgumentParser
import HostSystem
import SystemPackage
import TunnelConfiguration

/// Where an agent may be asked.
struct AgentPlace: Sendable {
    /// The configuration file that it runs by.
    let config: String?
    /// Its control socket, where that was named.
    let socket: String?

    /// Asks the agent, and leaves it to the caller to tell what goes wrong.
    func attempt<Answer>(
        _ question: (AdminClient) throws(AdminClientError) -> Answer
    ) throws(AgentFault) -> Answer {
        let paths: [String]
        do throws(ControlSocketError) {
            paths = try socketPaths()
        } catch {
            throw AgentFault(words: "\(error)", reason: nil)
        }
        for path in paths {
            do throws(AdminClientError) {
                return try question(AdminClient(socketPath: path))
            } catch  where error.isNobodyThere {
                continue
            } catch {
                throw AgentFault(words: "\(path): \(error)", reason: error.reason)
            }
        }
        throw AgentFault(words: nobodyListens(at: paths[0]), reason: .unreachable(.connectionRefused))
    }
}

/// Why an agent was not asked, or did not answer.
struct AgentFault: Error {
    /// For people.
    let words: String
    /// Nil where no socket may be asked.
    let reason: AdminClientError.Reason?

    /// Whether an agent that was there before may be back soon.
    var mayPass: Bool {
        switch reason {
        case .brokeOff, .timedOut, .unreachable: true
        case .nonsense, .refused, nil: false
        }
    }

    /// Whether an answer had begun.
    var isInterruption: Bool { reason == .brokeOff }

    /// Tells it, and is what then ends the command.
    var told: ExitCode {
        Terminal.printToStandardError("wstunnel: \(words)\n")
        return ExitStatus.failure
    }
}

extension AgentPlace {
    private func nobodyListens(at path: String) -> String {
        guard socket == nil, let config else { return "no agent listens at \(path)" }
        let isMissing = SystemConfigurationSource().kind(ofPath: config) == .missing
        return """
            no agent runs by \(config)\(isMissing ? ", and there is no such file" : "")
              It would listen at \(path). Start it with "wstunnel --config \(config)"; \
            if it runs already, as another user or by another path of the file, name its socket: --socket PATH
            """
    }

    /// The socket that was named; else those at which an agent may listen: those that follow from the file's path, then
    /// the one that the file names, which an agent that has not read it yet does not have.
    ///
    /// - Returns: at least one.
    private func socketPaths() throws(ControlSocketError) -> [String] {
        guard socket == nil, let config else { return [socket ?? ""] }
        let source = SystemConfigurationSource.ofAgent()
        var paths: [String] = []
        let candidates = ControlSocketPath.candidates(forConfiguration: config, .ofProcess())
        for candidate in candidates where source.kind(ofPath: candidate.path) == .other {
            try candidate.checkFolderToAsk()
            paths.append(candidate.path)
        }
        if let path = controlSocket(ofConfigurationAt: config, from: source) { paths.append(path) }
        return paths.isEmpty ? [candidates.first?.path ?? ""] : paths
    }
}
