import AdminAPI
import AgentStatus
import ArgumentParser
import TunnelConfiguration

/// `wstunnel bans --config tunnels.yaml`
struct Bans: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the addresses that the running agent's servers have shut out for guessing.")

    @OptionGroup var agent: AgentOptions

    @Option(help: "How to print them.")
    var format = OutputFormat.text

    func run() throws {
        let bans = try agent.ask { client throws(AdminClientError) in try client.bans() }
        try format.print(bans, text: BanRendering.text(of: bans))
    }
}

/// `wstunnel unban 192.0.2.7 --config tunnels.yaml`
struct Unban: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lets an address in again that the running agent's servers have shut out.")

    @Argument(help: "An IP address, a /64 of IPv6 as bans shows it, or all.")
    var address: String

    @OptionGroup var agent: AgentOptions

    func validate() throws {
        guard
            address == "all"
                || AddressRange(address) != nil && (!address.contains("/") || address.hasSuffix("/64"))
        else {
            throw ValidationError("\"\(address)\" is no IP address — write one, or all")
        }
    }

    func run() throws {
        let count = try agent.ask { client throws(AdminClientError) in try client.unban(address) }
        print(count == 1 ? "1 ban lifted" : "\(count) bans lifted")
    }
}
