import AdminAPI
import AgentStatus
import ArgumentParser
import Glibc
import TunnelConfiguration

/// `wstunnel status --config tunnels.yaml`
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what the agent that runs by a configuration file is doing.",
        discussion: """
            The exit status is 69 when something that should be up is down, 1 when no agent answers; with --check \
            1 and 2, as monitors want it.
            """)

    /// Whether what was asked for is there.
    private enum Presence { case there, missing, notKnown }

    /// The exit status of a check that learnt nothing.
    private static let unknown = ExitCode(2)
    /// Rows of each table unless all are asked for.
    private static let usualRows = 100

    @OptionGroup var agent: AgentOptions

    @Option(help: "How to print it.")
    var format = OutputFormat.text

    @Flag(
        name: [.customLong("problems"), .customLong("down")],
        help: "Print nothing but what is down or out of order.")
    var problems = false

    @Option(help: "Print nothing but the tunnels of this name, of either end.")
    var tunnel: String?

    @Option(help: "Print nothing but the tunnels and servers of such names, as \"shop-*\".")
    var filter: String?

    @Flag(help: "Print all, however much it is: else the first hundred of each table.")
    var all = false

    @Flag(
        help:
            "For monitors: print a line; exit 0 when all is well, 1 when something is down, 2 when that is not known, as without an agent."
    )
    var check = false

    @Flag(help: "Print it anew every second, until Ctrl-C.")
    var watch = false

    func validate() throws {
        if let tunnel { try AgentOptions.checkName(tunnel) }
        guard filter != "" else { throw ValidationError("--filter is empty — write a name, as \"shop-*\"") }
        guard !check || !watch else { throw ValidationError("--check and --watch do not go together") }
    }

    func run() async throws {
        while true {
            let (snapshot, unlisted) = try look()
            let isNarrowed = tunnel != nil || filter != nil
            let isAbsent = isNarrowed && snapshot.servers.isEmpty && snapshot.tunnels.isEmpty
            let presence: Presence = !isAbsent ? .there : unlisted == 0 ? .missing : .notKnown
            try show(snapshot, presence, unlisted)
            guard watch else {
                if presence == .missing || !snapshot.problems.isEmpty {
                    throw check ? ExitStatus.failure : ExitStatus.down
                }
                if presence == .notKnown, check { throw Self.unknown }
                return
            }
            fflush(nil)
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// - Returns: with how many tokens `--filter` was not looked for among.
    private func look() throws -> (AgentSnapshot, unlisted: Int) {
        do throws(AgentFault) {
            let all = try agent.attempt { client throws(AdminClientError) in
                try client.status(ofTunnel: tunnel)
            }
            let narrowed = tunnel.map { all.narrowed(toTunnel: $0) } ?? all
            guard let glob = filter.map(NameGlob.init) else { return (narrowed, 0) }
            return (narrowed.narrowed { glob.matches($0) }, all.unlistedTokens)
        } catch {
            guard check else { throw error.told }
            if format == .text {
                print("unknown: \(error.words)")
            } else {
                Terminal.printToStandardError("wstunnel: \(error.words)\n")
            }
            throw Self.unknown
        }
    }

    private func show(_ snapshot: AgentSnapshot, _ presence: Presence, _ unlisted: Int) throws {
        let words = presence == .missing ? Self.missing : Self.notListed(unlisted)
        let style = Terminal.outputStyle
        let most = all ? nil : Self.usualRows
        // Where somebody looks, each picture takes the place of the last.
        if watch, format == .text, style.width != nil { print("\u{1b}[H\u{1b}[2J", terminator: "") }
        if presence != .there, format == .text {
            // Whatever else there is would not be what was asked for.
            if check { print((presence == .missing ? "down: " : "unknown: ") + words) }
        } else if check {
            try format.print(snapshot.troubled, text: StatusRendering.check(of: snapshot))
        } else if problems {
            try format.print(
                snapshot.troubled, text: StatusRendering.problems(of: snapshot, style: style, most: most))
        } else {
            try format.print(snapshot, text: StatusRendering.text(of: snapshot, style: style, most: most))
        }
        let isTold = check && format == .text && presence != .there
        if !isTold, unlisted > 0 || presence == .missing && !check {
            Terminal.printToStandardError("wstunnel: \(words)\n")
        }
    }

    private static let missing = "no tunnel of that name is up here"

    private static func notListed(_ count: Int) -> String {
        "only \(ConnectedToken.most) connected tokens of a server were looked at: \(count) more are not listed; "
            + "--tunnel NAME asks for one of them"
    }
}
