import Glibc
import GoCommands

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
        print("DNS    \(arguments.address)  \(ReverseName.of(arguments.address) ?? "(no name)")")
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

/// The name of an address in the DNS.
enum ReverseName {
    static func of(_ address: String) -> String? {
        // At most 9 s with the three name servers that the resolver takes, unless the user chose otherwise.
        setenv("RES_OPTIONS", "timeout:3 attempts:1", 0)
        guard let found = SocketAddresses(address, 0, flags: AI_NUMERICHOST) else { return nil }
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard let first = found.first,
            getnameinfo(
                first.pointee.ai_addr, first.pointee.ai_addrlen, &name, socklen_t(name.count), nil, 0,
                NI_NAMEREQD)
                == 0
        else { return nil }
        let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return WhoisReply.cleaned(String(decoding: bytes, as: UTF8.self))
    }
}

/// What the resolver knows of a host; freed with it.
struct SocketAddresses: ~Copyable {
    let first: UnsafeMutablePointer<addrinfo>?

    init?(_ host: String, _ port: Int, flags: CInt = 0) {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = flags
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0 else { return nil }
        first = found
    }

    deinit { freeaddrinfo(first) }
}
