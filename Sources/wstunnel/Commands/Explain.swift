import AdminAPI
import AgentStatus
import ArgumentParser
import HostSystem
import Supervision
import TunnelConfiguration

/// `wstunnel explain GET https://shop.example.com/ --config tunnels.yaml`
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Tells what would become of a request: which server, name, token, rules and limits it meets.",
        discussion: """
            Nothing is sent, and nothing changes. By the file; with --running the agent that runs by it is asked, which also \
            knows bans, names that tunnels ask for, what of limits is used up and which tunnels are up. \
            The exit status is 69 when the request would be refused.
            """)

    /// Most bytes of a file of headers.
    private static let mostHeaderBytes = 64 << 10

    @Argument(help: "The method, such as GET.")
    var method: String

    @Argument(help: "The URL, whole.")
    var url: String

    @OptionGroup var agent: AgentOptions

    @Option(
        name: [.long, .customShort("H")], parsing: .singleValue,
        help: """
            A header, as "Name: value"; may be repeated. @FILE reads them from a file, one a line: for secrets, which \
            others could see in the list of processes.
            """)
    var header: [String] = []

    @Option(help: "The address that the request comes from.")
    var from = "127.0.0.1"

    @Option(help: "The name in the client certificate that is shown.")
    var certificate: String?

    @Option(help: "The server that is meant, by its name in the file.")
    var server: String?

    @Flag(help: "Ask the agent that runs by the file.")
    var running = false

    @Option(help: "How to print it.")
    var format = OutputFormat.text

    func validate() throws {
        guard running || agent.config != nil else { throw ValidationError(ConfigurationFile.missing) }
        guard AddressRange.isAddress(from) else {
            throw ValidationError("--from is no IP address — write one, such as 192.0.2.7")
        }
    }

    func run() throws {
        let query: ExplanationQuery
        do throws(ActionError) {
            query = try ExplanationQuery(
                method: method, url: url, fields: headers(), from: from, certificateName: certificate,
                server: server)
        } catch {
            throw ValidationError(error.description)
        }
        let explanation =
            running
            ? try agent.ask { client throws(AdminClientError) in try client.explain(query) }
            : try explain(query)
        try format.print(
            explanation, text: ExplanationRendering.text(of: explanation, style: Terminal.outputStyle))
        guard explanation.isServed else { throw ExitStatus.down }
    }

    private func explain(_ query: ExplanationQuery) throws -> ExplanationSnapshot {
        let report = loadConfiguration(at: agent.config ?? "", from: SystemConfigurationSource.ofAgent())
        guard let configuration = report.configuration else {
            Terminal.printToStandardError(report)
            throw ExitStatus.badConfiguration
        }
        do throws(ActionError) {
            return try Explanations.explanation(of: query, by: configuration)
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// Those of files put in where they are named, without empty lines and comments.
    private func headers() throws(ActionError) -> [String] {
        var lines: [String] = []
        for header in header {
            guard header.hasPrefix("@") else {
                lines.append(header)
                continue
            }
            do throws(ConfigurationSourceError) {
                let file = try SystemConfigurationSource().readFile(
                    at: String(header.dropFirst()), sizeLimit: Self.mostHeaderBytes)
                lines += String(decoding: file.bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
                    .map(String.init).filter { !$0.hasPrefix("#") }
            } catch {
                throw ActionError(400, "cannot read the headers in \(header.dropFirst()): \(error)")
            }
        }
        return lines
    }
}
