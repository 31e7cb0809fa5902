@testable import AgentStatus

/// Agents for `top`.
enum TopWorld {
    static func agent(
        requests: UInt64 = 0, bytes: UInt64 = 0, pending: Int = 0, processID: Int = 1, tunnels: Int = 3
    ) -> AgentSnapshot {
        let names = ["away", "shop", "weib\u{202e}er\u{1b}[2J店店店店店店店店店店店店店店"]
        return AgentSnapshot(
            software: "wstunnel 1", processID: processID, configurationFile: nil, phase: .running,
            startedAt: 0,
            takenAt: 100, generation: 1,
            servers: [
                ServerSnapshot(
                    name: "public", state: .listening, address: "127.0.0.1:80", sessions: 2, waiting: 1,
                    traffic: TrafficSnapshot(requests: requests, requestBytes: bytes, responseBytes: bytes),
                    connected: [
                        ConnectedToken(
                            name: "home", tokenHint: "abcdefgh...", tokenTag: "1", address: "::1",
                            software: "",
                            protocolVersion: 2, clients: 1, sessions: 2, requests: requests, pending: pending,
                            since: 1)
                    ])
            ],
            tunnels: (0..<tunnels).map { number in
                TunnelSnapshot(
                    name: number < names.count ? names[number] : "tunnel-\(number)",
                    state: number == 0 ? .connecting : .connected, server: "ws://server.example.com",
                    tokenHint: "abcdefgh...", wanted: 1,
                    connections: number == 0
                        ? [] : [ConnectionSnapshot(id: 1, protocolVersion: 2, since: 1, isDraining: false)],
                    traffic: TrafficSnapshot(requests: number == 1 ? requests * 2 : 0, requestBytes: 0),
                    lastFault: number == 0
                        ? FaultSnapshot(code: .unreachable, message: "refused\n", at: 97) : nil)
            })
    }

    static func state(_ agent: AgentSnapshot = agent(), keys: String = "") -> TopState {
        var state = TopState()
        state.take(agent, at: 0)
        for key in keys { _ = state.press(key == "\n" ? .enter : .character(key)) }
        return state
    }

    static func lines(_ state: TopState, _ width: Int = 100, _ height: Int = 24, colour: Bool = false)
        -> [String]
    {
        var state = state
        return TopScreen.lines(of: &state, width: width, height: height, hasColour: colour)
    }
}
