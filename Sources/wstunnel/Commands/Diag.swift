import AgentStatus
import ArgumentParser
import Glibc
import HostSystem
import Observability
import SystemPackage

/// `wstunnel diag --config tunnels.yaml`
struct Diag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Writes a text for a bug report: version, machine, configuration, status, events and what doctor finds.",
        discussion: """
            Secrets are left out; look through it all the same before you send it. It works without an agent, and with \
            a file that has mistakes.
            """)

    @OptionGroup var agent: AgentOptions

    @Option(
        help: "The file to write, which must not exist; - is standard output.", completion: .file())
    var output: String?

    @Flag(help: "Ask no server, origin or URL.")
    var offline = false

    func validate() throws {
        guard agent.config != nil else { throw ValidationError(ConfigurationFile.missing) }
        guard output != "" else { throw ValidationError("an empty path leads nowhere") }
    }

    func run() async throws {
        LiveOutput.prepare()
        let time = LogTimestamp.now().description
        let collection = DiagnosticCollection(
            path: agent.config ?? "", agent: agent.place, software: Version.text, time: time)
        let (bundle, redaction) = await collection.bundle(dials: !offline)
        let text = bundle.text(redaction)
        guard output != "-" else {
            _ = LiveOutput.write(text)
            return
        }
        let path = output ?? "wstunnel-diag-\(time.filter { $0 != ":" && $0 != "." }).txt"
        do throws(Errno) {
            try write(text, to: path)
        } catch {
            Terminal.printToStandardError("wstunnel: cannot write \(path): \(error)\n")
            throw ExitStatus.failure
        }
        print("\(path): \(bundle.titles.joined(separator: ", ")) — read it before you send it")
    }

    /// For its owner alone, and never over something that is there.
    private func write(_ text: String, to path: String) throws(Errno) {
        let file = try OwnedDescriptor(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file.number, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { throw .latest }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
