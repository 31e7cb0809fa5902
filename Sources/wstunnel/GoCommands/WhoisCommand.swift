import Glibc
import GoCommands
import HostSystem

/// `wstunnel whois`: the names of an address, and whose it is.
enum WhoisCommand {
    /// - Parameter arguments: what follows the command.
    /// - Returns: the exit code.
    static func run(_ arguments: [String]) -> CInt {
        signal(SIGPIPE, SIG_IGN)
        switch WhoisArguments.read(arguments) {
        case .help(let usage):
            print(usage, terminator: "")
            return 0
        case .fault(let text):
            Terminal.printToStandardError(text)
            return 2
        case .arguments(let arguments): return look(arguments)
        }
    }

    private static func look(_ arguments: WhoisArguments) -> CInt {
        // At most 9 s with the three name servers that the resolver takes, unless the user chose otherwise.
        setenv("RES_OPTIONS", "timeout:3 attempts:1", 0)
        let name = SystemNames.name(of: arguments.address).map { WhoisReply.cleaned($0) }
        print("DNS    \(arguments.address)  \(name ?? "(no name)")")
        var server = (host: arguments.host, port: arguments.port)
        var organisation: String?
        for _ in 0...WhoisReply.referralLimit {
            let reply: WhoisReply
            do throws(WhoisConnectionError) {
                reply = WhoisReply(
                    try WhoisConnection.ask(server.host, server.port, for: arguments.address))
            } catch {
                Terminal.printToStandardError(
                    "wstunnel whois: \(WhoisReply.cleaned(server.host)) port \(server.port): \(error)\n")
                break
            }
            organisation = reply.organisation ?? organisation
            guard let referral = reply.referral, referral != server else { break }
            server = referral
        }
        guard let organisation else {
            Terminal.printToStandardError("wstunnel whois: nothing is known of \(arguments.address)\n")
            return 1
        }
        print("WHOIS  \(arguments.address)  \(organisation)")
        return 0
    }
}
