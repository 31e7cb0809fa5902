import AdminAPI
import AgentStatus
import ArgumentParser
import HostSystem
import TunnelConfiguration

/// `wstunnel block-token --token-file stolen.token --config tunnels.yaml`
struct BlockToken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block-token",
        abstract: "Has the running agent's servers serve a token no more, and its tunnel clients leave.",
        discussion: "Without a token it lists those that are blocked.")

    @OptionGroup var token: TokenOptions

    @Option(name: .customLong("for"), help: "How long, such as 2h; without it until it is unblocked.")
    var duration: String?

    @OptionGroup var agent: AgentOptions

    @Option(help: "How to print them.")
    var format = OutputFormat.text

    func run() throws {
        guard var query = try token.query() else {
            let blocked = try agent.ask { client throws(AdminClientError) in try client.blockedTokens() }
            return try format.print(blocked, text: BlockRendering.text(of: blocked))
        }
        query.duration = duration
        let asked = query
        let block = try agent.ask { client throws(AdminClientError) in try client.block(asked) }
        try format.print(block, text: BlockRendering.text(of: [block]))
    }
}

/// `wstunnel unblock-token --hint 1a2b3c4d... --tag 5e6f70 --config tunnels.yaml`
struct UnblockToken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unblock-token", abstract: "Has the running agent's servers serve a token again.")

    @OptionGroup var token: TokenOptions

    @Flag(help: "All that are blocked.")
    var all = false

    @OptionGroup var agent: AgentOptions

    func run() throws {
        let named = try token.query()
        guard (named == nil) == all else {
            throw ValidationError("name the token by --token-file, or by --hint and --tag; or write --all")
        }
        let query = named ?? TokenBlockQuery(all: true)
        let count = try agent.ask { client throws(AdminClientError) in try client.unblock(query) }
        print(count == 1 ? "1 token unblocked" : "\(count) tokens unblocked")
    }
}

/// Which token is meant. It does not stand in the arguments, where all users of a machine can read it.
struct TokenOptions: ParsableArguments {
    private static let mostBytes = 4096

    @Option(name: .customLong("token-file"), help: "A file with nothing but the token.")
    var file: String?

    @Option(help: "The start of the token, as status shows it.")
    var hint: String?

    @Option(help: "The tag behind it.")
    var tag: String?

    func validate() throws {
        guard (hint == nil) == (tag == nil), file == nil || hint == nil else {
            throw ValidationError("name the token by --token-file, or by both --hint and --tag")
        }
    }

    /// Nil where none is named.
    func query() throws -> TokenBlockQuery? {
        if let hint, let tag { return TokenBlockQuery(tokenHint: hint, tokenTag: tag) }
        guard let file else { return nil }
        do throws(ConfigurationSourceError) {
            let content = try SystemConfigurationSource().readFile(at: file, sizeLimit: Self.mostBytes)
            return TokenBlockQuery(token: String(decoding: content.bytes, as: UTF8.self).trimmed)
        } catch {
            Terminal.printToStandardError("wstunnel: cannot read \(file): \(error)\n")
            throw ExitStatus.failure
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        let isSpace = { (character: Character) in character.isWhitespace }
        var text = self[...].drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return String(text)
    }
}
