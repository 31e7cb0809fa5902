import AdminAPI
import ArgumentParser
import FoundationEssentials
import Supervision
import TunnelConfiguration

/// How a command finds the agent that it asks.
struct AgentOptions: ParsableArguments {
    @Option(name: [.long, .customShort("c")], help: "The configuration file that the agent runs by.")
    var config: String?

    @Option(help: "The agent's control socket, where the configuration file does not lead to it.")
    var socket: String?

    func validate() throws {
        guard config != nil || socket != nil else {
            throw ValidationError("name the agent's configuration: --config FILE")
        }
        guard config != "", socket != "" else { throw ValidationError("an empty path leads nowhere") }
    }

    /// Asks the agent. What goes wrong is told, and ends the command.
    func ask<Answer>(_ question: (AdminClient) throws(AdminClientError) -> Answer) throws -> Answer {
        let path: String
        do throws(ControlSocketError) {
            path = try socketPath()
        } catch {
            Terminal.printToStandardError("wstunnel: \(error)\n")
            throw ExitStatus.failure
        }
        do throws(AdminClientError) {
            return try question(AdminClient(socketPath: path))
        } catch {
            Terminal.printToStandardError("wstunnel: \(description(of: error, at: path))\n")
            throw ExitStatus.failure
        }
    }
}

extension AgentOptions {
    private func description(of error: AdminClientError, at path: String) -> String {
        guard error.isNobodyThere else { return "\(path): \(error)" }
        guard socket == nil, let config else { return "no agent listens at \(path)" }
        let isMissing = SystemConfigurationSource().kind(ofPath: config) == .missing
        return """
            no agent runs by \(config)\(isMissing ? ", and there is no such file" : "")
              It would listen at \(path). Start it with "wstunnel --config \(config)"; \
            if it runs already, as another user or by another path of the file, name its socket: --socket PATH
            """
    }

    /// The socket that was named, that the configuration names, or the first of those that an agent may have made.
    private func socketPath() throws(ControlSocketError) -> String {
        guard socket == nil, let config else { return socket ?? "" }
        if let path = controlSocket(ofConfigurationAt: config, from: SystemConfigurationSource()) {
            return path
        }
        let candidates = ControlSocketPath.candidates(forConfiguration: config, .ofProcess())
        let source = SystemConfigurationSource()
        for candidate in candidates where source.kind(ofPath: candidate.path) == .other {
            try candidate.checkFolder()
            return candidate.path
        }
        return candidates.first?.path ?? ""
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
            Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
        }
    }
}
