import TestSupport
import TunnelConfiguration
import TunnelProtocol

/// Configurations to plan with.
enum Examples {
    static func token(_ name: String) -> RendezvousToken {
        guard let token = try? RendezvousToken("token-of-16-or-more-\(name)") else {
            preconditionFailure("the token is good")
        }
        return token
    }

    static let keyPair = KeyPair(
        chain: CertificateFile(path: "/x", pem: [1]), keyPath: "/x", key: Secret("k"))

    static func server(_ name: String, port: Int = 8080) -> ServerConfiguration {
        ServerConfiguration(name: name, port: port)
    }

    static func tunnel(_ name: String) -> TunnelClientConfiguration {
        TunnelClientConfiguration(
            name: name, tunnel: TunnelURL(isSecure: false, host: "localhost", port: 8080), origin: .echo,
            token: token(name))
    }

    static func configuration(servers: [String] = [], tunnels: [String] = []) -> AgentConfiguration {
        AgentConfiguration(servers: servers.map { server($0) }, tunnels: tunnels.map(tunnel))
    }

    /// Up to eight servers and tunnels.
    static func random(_ random: inout SplitMix64) -> AgentConfiguration {
        let names = (0..<8).map { "n\($0)" }.filter { _ in Bool.random(using: &random) }
        var configuration = Examples.configuration(servers: names, tunnels: names.reversed())
        for index in configuration.tunnels.indices where Bool.random(using: &random) {
            change(&configuration.tunnels[index], &random)
        }
        return configuration
    }

    /// The same with some entries gone, changed, added, and all in another order.
    static func edited(_ running: AgentConfiguration, _ random: inout SplitMix64) -> AgentConfiguration {
        var edited = running
        edited.servers.removeAll { _ in Int.random(in: 0..<4, using: &random) == 0 }
        edited.tunnels.removeAll { _ in Int.random(in: 0..<4, using: &random) == 0 }
        for index in edited.tunnels.indices where Bool.random(using: &random) {
            change(&edited.tunnels[index], &random)
        }
        for index in edited.servers.indices where Bool.random(using: &random) {
            edited.servers[index].port = Int.random(in: 1...3, using: &random)
            edited.servers[index].times.queue = .seconds(Int.random(in: 0...1, using: &random))
        }
        for name in (0..<Int.random(in: 0...3, using: &random)).map({ "new\($0)" }) {
            if !edited.servers.contains(where: { $0.name == name }) { edited.servers.append(server(name)) }
            if !edited.tunnels.contains(where: { $0.name == name }) { edited.tunnels.append(tunnel(name)) }
        }
        edited.servers.shuffle(using: &random)
        edited.tunnels.shuffle(using: &random)
        return edited
    }

    private static func change(_ tunnel: inout TunnelClientConfiguration, _ random: inout SplitMix64) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: tunnel.connections = Int.random(in: 1...3, using: &random)
        case 1: tunnel.timeout = .seconds(Int.random(in: 3...5, using: &random))
        case 2: tunnel.origin = .folder(path: "/\(Int.random(in: 0...2, using: &random))")
        default: tunnel.password = Secret("\(Int.random(in: 0...2, using: &random))")
        }
    }
}
