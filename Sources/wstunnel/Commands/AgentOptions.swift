import AdminAPI
import AgentStatus
import ArgumentParser
import FoundationEssentials

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
        do throws(AgentFault) {
            return try attempt(question)
        } catch {
            throw error.told
        }
    }

    /// Asks the agent, and leaves it to the caller to tell what goes wrong.
    func attempt<Answer>(
        _ question: (AdminClient) throws(AdminClientError) -> Answer
    ) throws(AgentFault) -> Answer {
        try place.attempt(question)
    }

    var place: AgentPlace { AgentPlace(config: config, socket: socket) }

    /// What tunnels and servers are called holds nothing that a URL would need escapes for.
    static func checkName(_ name: String) throws {
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isName, !name.isEmpty else {
            throw ValidationError("the name of a tunnel is made of letters, digits, \"_\", \".\" and \"-\"")
        }
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
