import Testing
import TunnelConfiguration
import TunnelProtocol

/// `ports` of servers.
@Suite struct PortKeysTests {
    private static func servers(_ keys: String, defaults: String = "{}") -> [ServerConfiguration]? {
        let machine = PretendMachine()
        machine.write(
            "defaults: { server: \(defaults) }\nservers: [{ name: a, port: 8080, \(keys) }]", to: "/c")
        return loadConfiguration(at: "/c", from: machine).configuration?.servers
    }

    private static let token = "token: a-token-of-the-tests"

    @Test func aPortIsAListenerOfItsOwn() throws {
        let servers = try #require(
            Self.servers(
                "host: 127.0.0.1, reuse-port: true, queue-timeout: 7s, ports: [{ port: 22, \(Self.token) }]"))
        #expect(servers.map(\.name) == ["a", "a:22"])
        let port = try #require(servers.last)
        #expect(port.host == "127.0.0.1" && port.port == 22 && port.reusePort)
        #expect(port.times == servers.first?.times && port.times.queue == .seconds(7))
        #expect(port.tcp?.server == "a" && port.tcp?.token.secret == "a-token-of-the-tests")
        #expect(port.tcp?.callers == nil && port.tcp?.idle == .seconds(3600))
        #expect(servers.first?.tcp == nil)
    }

    @Test func itsNameHasItsAddressWhereThatIsNotTheServers() throws {
        let servers = try #require(
            Self.servers(
                "host: 127.0.0.1, ports: [{ port: 22, host: \"::1\", \(Self.token) }, { port: 22, host: 127.0.0.1, \(Self.token) }]"
            ))
        #expect(servers.map(\.name) == ["a", "a:[::1]:22", "a:22"])
    }

    @Test func zeroIsNoIdleTimeout() throws {
        let servers = try #require(Self.servers("ports: [{ port: 22, \(Self.token), idle-timeout: 0 }]"))
        #expect(servers.last?.tcp != nil && servers.last?.tcp?.idle == nil)
    }

    @Test(arguments: [
        ("192.0.2.1", true), ("192.0.3.1", false), ("::ffff:192.0.2.7", true), ("2001:db8::1", true),
        ("2001:db9::1", false), ("unknown", false),
    ])
    func onlyItsCallersAreTaken(address: String, isTaken: Bool) throws {
        let servers = try #require(
            Self.servers(
                "ports: [{ port: 22, \(Self.token), allow-from: [192.0.2.0/24, \"2001:db8::/32\"] }]"))
        #expect(servers.last?.tcp?.takes(address) == isTaken)
        let open = try #require(Self.servers("ports: [{ port: 22, \(Self.token) }]"))
        #expect(open.last?.tcp?.takes(address) == true)
    }
}
