import Testing

@testable import AgentStatus

/// Whatever an agent answers, a terminal shows it, and no program ends by it.
@Suite struct ExtremeValuesTests {
    private static func agent(_ low: Int, _ high: Int) -> AgentSnapshot {
        let fault = FaultSnapshot(code: .unreachable, message: "refused", at: low, count: high, since: low)
        let traffic = TrafficSnapshot(
            requests: .max, requestBytes: .max, responseBytes: .max, requestsPerSecond: 1.7e308)
        let token = ConnectedToken(
            name: "web", tokenHint: "abcdefgh...", tokenTag: "1", address: "::1", software: "",
            protocolVersion: high, clients: high, sessions: high, requests: .max, pending: high, since: low)
        let server = ServerSnapshot(
            name: "public", state: .failed, address: "", tunnels: high, sessions: high, callers: high,
            waiting: high, traffic: traffic, lastFault: fault, faults: [fault], connected: [token, token],
            moreConnected: high,
            names: [NamedTunnel(url: "http://a/", tokenHint: "a", isClaimed: true, isUp: true)],
            moreNames: high)
        let tunnel = TunnelSnapshot(
            name: "web", state: .connecting, server: "ws://h", tokenHint: "x...", wanted: low,
            connections: [ConnectionSnapshot(id: .max, protocolVersion: low, since: low, isDraining: true)],
            hosts: [HostSnapshot(claim: "a", url: "http://a/")],
            origins: [OriginSnapshot(name: "o", isUp: false, reason: "refused", since: low)],
            traffic: traffic, lastFault: fault)
        var agent = AgentSnapshot(
            software: "wstunnel 1", processID: high, configurationFile: nil, phase: .running,
            startedAt: low, takenAt: high, generation: high, servers: [server, server],
            tunnels: [tunnel, tunnel])
        agent.logLevel = LogLevelSnapshot(level: "debug", configured: "info", until: low)
        return agent
    }

    @Test(arguments: [(Int.min, Int.max), (Int.max, Int.min), (Int.min, Int.min), (-1, Int.max)])
    func aStatusIsShown(low: Int, high: Int) {
        let agent = Self.agent(low, high)
        #expect(StatusRendering.text(of: agent).contains("tunnel web"))
        #expect(StatusRendering.check(of: agent).hasPrefix("down: "))
        #expect(StatusRendering.problems(of: agent).contains("server public"))
        for keys in ["", "\n"] {
            var state = TopWorld.state(agent, keys: keys)
            state.take(agent, at: 1000)
            state.take(
                [Int64.min, .max].map { moment in
                    var event = AgentEvent(.error, server: "public", message: "went wrong")
                    event.at = moment
                    return event
                })
            #expect(TopWorld.lines(state, 200, 60).contains { $0.contains("server public") })
            #expect(TopScreen.plainText(of: state, time: "now").contains("server public"))
        }
    }

    @Test func timesBetweenMomentsAreClamped() {
        #expect(DurationWords.of(from: .min, to: .max) == DurationWords.of(seconds: .max))
        #expect(DurationWords.of(from: .max, to: .min) == "0s")
        #expect(DurationWords.of(from: 5, to: 70) == "1m5s")
    }

    @Test(arguments: [1e300, .infinity, -.infinity, .nan, -1e300]) func ratesAreClamped(rate: Double) {
        let shown = StatusRendering.rate(rate)
        #expect(shown == (rate.isNaN ? "-" : rate > 0 ? "1000000000000000" : "0.0"))
        let request = RequestSnapshot(
            at: .min, server: "s", tokenHint: nil, id: 1, method: "GET", path: "/", status: 200,
            requestBytes: .min, responseBytes: .max, firstByte: rate, duration: rate, queue: rate,
            caller: "::1", outcome: "ok")
        #expect(RequestRendering.line(of: request, time: "now").hasPrefix("now 200 GET /"))
        var page = HistoryPage(source: .memory)
        page.requests = [HistoryRequest(id: .max, standsFor: .max, request: request)]
        #expect(HistoryRendering.text(of: page).contains("1970-01-01"))
    }

    @Test func whatIsNotListedIsCounted() {
        #expect(Self.agent(0, .max).unlistedTokens == .max)
        #expect(Self.agent(0, .min).unlistedTokens == 0)
        var agent = TopWorld.agent()
        agent.servers[0].moreConnected = 2000
        #expect(agent.narrowed(toTunnel: "home").unlistedTokens == 2000)
        #expect(agent.narrowed { $0 == "home" }.unlistedTokens == 2000)
        let words = "2000 connected tokens more not listed"
        #expect(TopWorld.lines(TopWorld.state(agent)).contains { $0.contains(words) })
        #expect(TopScreen.plainText(of: TopWorld.state(agent), time: "now").contains(words))
    }
}
