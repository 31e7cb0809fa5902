import AdminAPI
import AgentStatus
import ArgumentParser
import FoundationEssentials
import HostSystem
import TunnelConfiguration

/// How a command finds the agent that it asks.
struct AgentOptions: ParsableArguments {
    /// The one that the agent runs by.
    @OptionGroup var file: ConfigurationFile

    @Option(help: "The agent's control socket, where the configuration file does not lead to it.")
    var socket: String?

    func validate() throws {
        guard config != nil || socket != nil else {
            throw ValidationError(ConfigurationFile.missing)
        }
        guard socket != "" else { throw ValidationError("an empty path leads nowhere") }
    }

    var config: String? { file.path }

    /// Asks the agent. What goes wrong is told, and ends the command.
    func ask<Answer>(_ question: (AdminClient) throws(AdminClientError) -> Answer) throws -> Answer {
        let paths: [String]
        do throws(ControlSocketError) {
            paths = try socketPaths()
        } catch {
            Terminal.printToStandardError("wstunnel: \(error)\n")
            throw ExitStatus.failure
        }
        for path in paths {
            do throws(AdminClientError) {
                return try question(AdminClient(socketPath: path))
            } catch  where error.isNobodyThere {
                continue
            } catch {
                Terminal.printToStandardError("wstunnel: \(path): \(error)\n")
                throw ExitStatus.failure
            }
        }
        Terminal.printToStandardError("wstunnel: \(nobodyListens(at: paths[0]))\n")
        throw ExitStatus.failure
    }
}

extension AgentOptions {
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

/// How to print what was found.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json

    /// Prints a value: as JSON, or in the words for people.
    func print(_ value: some Encodable, text: @autoclosure () -> String) throws {
        switch self {
        case .text: Swift.print(text(), terminator: "")
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self).jsonUndeceiving)
        }
    }
}
