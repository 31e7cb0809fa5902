import Testing

@testable import AgentStatus

/// A status of thousands of tunnels stays readable.
@Suite struct ManyTunnelsTests {
    private static let many: AgentSnapshot = {
        let tunnels = (0..<3000).map { number in
            TunnelSnapshot(
                name: "shop-\(number)", state: number % 10 == 0 ? .connecting : .connected,
                server: "wss://tunnel.example.com", tokenHint: "abcdefgh...", wanted: 1,
                lastFault: FaultSnapshot(code: .unreachable, message: "refused", at: 5))
        }
        let connected = (0..<500).map { number in
            ConnectedToken(
                name: "home-\(number)", tokenHint: "x...", tokenTag: "1", address: "::1", software: "",
                protocolVersion: 2, clients: 1, sessions: 1, requests: 0, pending: 0, since: 1)
        }
        return AgentSnapshot(
            software: "wstunnel 1", processID: 1, configurationFile: nil, phase: .running, startedAt: 1,
            takenAt: 10, generation: 1,
            servers: [
                ServerSnapshot(name: "public", state: .listening, address: "::1", connected: connected)
            ],
            tunnels: tunnels)
    }()

    @Test func eachTableIsBoundedAndSaysHowManyMoreThereAre() {
        let text = StatusRendering.text(of: Self.many, most: 100)
        #expect(text.split(separator: "\n").count < 420)
        #expect(text.contains("\n1 server with 0 connected tokens, 3000 tunnels: 300 problems\n"))
        for rest in ["and 200 more; --all shows them", "and 400 more", "and 2900 more", "and 2600 more"] {
            #expect(text.contains(rest), "\(rest)")
        }
        #expect(StatusRendering.text(of: Self.many).split(separator: "\n").count > 6000)
        #expect(StatusRendering.problems(of: Self.many, most: 5).split(separator: "\n").count == 9)
    }

    @Test func aStatusIsNarrowedToNames() {
        let tunnels = Self.many.narrowed { $0.hasPrefix("shop-1") && $0.count == 6 }
        #expect(tunnels.tunnels.map(\.name) == ["shop-1"] && tunnels.servers.isEmpty)
        let tokens = Self.many.narrowed { $0 == "home-7" }
        #expect(tokens.tunnels.isEmpty && tokens.servers.first?.connected?.map(\.name) == ["home-7"])
        let server = Self.many.narrowed { $0 == "public" }
        #expect(server.servers.first?.connected?.count == 500)
    }

    @Test func aCheckIsALine() {
        #expect(
            StatusRendering.check(of: Self.many)
                == "down: 1 server with 0 connected tokens, 3000 tunnels: 300 problems: tunnel shop-0 connecting — unreachable: refused; tunnel shop-10 connecting — unreachable: refused; tunnel shop-20 connecting — unreachable: refused; and 297 more\n"
        )
        let well = Self.many.narrowed { $0 == "shop-1" }
        #expect(StatusRendering.check(of: well) == "up: 1 tunnel: all up\n")
    }
}
