import Foundation
import TestSupport
import Testing

/// One file with three servers and fifty tunnels, changed two hundred times while everything is in use.
@Suite struct ReloadStormTests {
    private static let edits = 200

    @Test(.timeLimit(.minutes(4))) func twoHundredEditsUnderLoadDisturbNothingThatStays() throws {
        var random = SplitMix64(seed: UInt64.random(in: 0 ... .max))
        let seed = random.seed
        let origin = try SteadyLoad.origin()
        var file = try StormFile(origin: origin.url)
        let world = try ReloadedAgent(file.text, files: StormFile.files)
        let port = file.servers[0].port
        try world.waitForStatus("fifty tunnels connected", within: .seconds(60)) { report in
            report.tunnels.count == 50 && report.tunnels.allSatisfy { $0.state == "connected" }
        }
        let load = SteadyLoad(port: port, token: StormFile.token(0))
        let settled = try settle(world)
        let before = try world.status()
        var outcomes: [ReloadedAgent.Outcome: Int] = [:]
        var wrong: [String] = []
        for edit in 0..<Self.edits {
            // A request that is under way on a tunnel that may change: it is finished all the same.
            let busy = try Self.slowRequest(port: port, token: StormFile.token(file.busyTunnel))
            var next = file
            let damage = next.change(&random)
            let outcome = try world.apply(next.text + (damage ?? ""))
            outcomes[outcome, default: 0] += 1
            if (outcome == .refused) != (damage != nil) {
                wrong.append("edit \(edit): \(outcome.rawValue), damage: \(damage ?? "none")")
            }
            if damage == nil { file = next }
            let answer = try busy.readResponse()
            if answer.status != 200 {
                wrong.append("edit \(edit): a request in flight ended with \(answer.status)")
            }
            busy.close()
        }
        #expect(wrong.isEmpty, "seed \(seed)")
        #expect((outcomes[.applied] ?? 0) > Self.edits / 3, "seed \(seed): \(outcomes)")
        #expect((outcomes[.refused] ?? 0) > Self.edits / 10, "seed \(seed): \(outcomes)")
        // What runs is what the last good file says.
        #expect(try world.apply(file.text) == .unchanged)
        let wanted = Set(file.tunnels.keys.map { "t\($0)" })
        let after = try world.waitForStatus("what the file says") { report in
            Set(report.tunnels.map(\.name)) == wanted && report.tunnels.count == wanted.count
                && report.tunnels.allSatisfy { $0.state == "connected" && $0.connections.count == $0.wanted }
                && report.servers.count == file.servers.count
        }
        for tunnel in StormFile.steady {
            #expect(
                after.connections(of: "t\(tunnel)") == before.connections(of: "t\(tunnel)"),
                "t\(tunnel) did not keep its connections")
        }
        // Back to what it was at first, nothing is left of all that was between.
        file = try StormFile(origin: origin.url, ports: file.servers.map(\.port).prefix(1) + [])
        #expect(try world.apply(file.text) != .refused)
        try world.waitForStatus("the first file") { report in
            report.tunnels.count == 50 && report.servers.count == 3
                && report.tunnels.allSatisfy { $0.state == "connected" && $0.connections.count == $0.wanted }
        }
        let left = try settle(world)
        #expect(left.descriptors <= settled.descriptors + settled.descriptors / 20)
        let (faults, counts) = try load.stop()
        #expect(faults.isEmpty, "seed \(seed)")
        for kind in ["short", "kept", "event", "message", "upload", "download"] {
            #expect((counts[kind] ?? 0) > 0, "\(kind): \(counts)")
        }
        #expect(world.agent.process.exit == nil)
        #expect(try world.agent.stop() == .code(0))
    }

    private static func slowRequest(port: Int, token: String) throws -> HTTPConnection {
        let connection = try HTTPConnection(port: port)
        try connection.send("GET", "/moment", fields: [("X-Token", token)])
        return connection
    }

    /// Waits until the number of descriptors rests, and tells it.
    private func settle(_ world: ReloadedAgent) throws -> (descriptors: Int, resident: Int) {
        var last = -1
        var rests = 0
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline, rests < 10 {
            let count = try openDescriptors(of: world.agent.process.processID)
            rests = abs(count - last) <= 1 ? rests + 1 : 0
            last = count
            usleep(100_000)
        }
        return (last, try world.agent.process.residentBytes())
    }
}

/// The file of the storm, as values that can be changed at random.
struct StormFile {
    struct Server {
        var name: String
        var port: Int
        var options: [String: String] = [:]
    }

    static let files = ["password": "a-password\n", "other-password": "another-password\n"]
    /// Tunnels that no edit touches; all of them are at the first server, which is changed in place only.
    static let steady = [0, 1, 2]
    /// The tunnel with requests in flight when the file changes.
    let busyTunnel = 3

    var servers: [Server]
    /// Options of the tunnels by number.
    var tunnels: [Int: [String: String]]
    private let origin: String

    init(origin: String, ports: [Int] = []) throws {
        self.origin = origin
        servers = try ["public", "second", "third"].enumerated().map { index, name in
            Server(name: name, port: ports.count > index ? ports[index] : try freePort())
        }
        tunnels = Dictionary(uniqueKeysWithValues: (0..<50).map { ($0, [:]) })
    }

    static func token(_ tunnel: Int) -> String { "storm-token-0123456789-\(tunnel)" }

    var text: String {
        var text = "version: 1\nshutdown-grace: 20s\nlog: { level: info }\nservers:\n"
        for server in servers {
            text +=
                "  - { name: \(server.name), host: 127.0.0.1, port: \(server.port)\(Self.list(server.options)) }\n"
        }
        text += "defaults: { tunnel: { connections: 1 } }\ntunnels:\n"
        for (number, options) in tunnels.sorted(by: { $0.key < $1.key }) {
            text +=
                "  - { name: t\(number), tunnel: \"ws://127.0.0.1:\(servers[0].port)\", server: \"\(origin)\", "
            text += "token: \(Self.token(number))\(Self.list(options)) }\n"
        }
        return text
    }

    private static func list(_ options: [String: String]) -> String {
        options.sorted { $0.key < $1.key }.map { ", \($0): \($1)" }.joined()
    }

    /// One edit.
    ///
    /// - Returns: what breaks the file, to be put behind it; nil for a good edit.
    mutating func change(_ random: inout SplitMix64) -> String? {
        for _ in 0..<Int.random(in: 1...4, using: &random) { changeSomething(&random) }
        guard Int.random(in: 0..<4, using: &random) == 0 else { return nil }
        return [
            "nonsense: true\n", "  - { name: t0 }\n", "\u{1}", "  - [\n",
            "  - { name: bad, tunnel: \"ws://x\", server: \"http://y\", token-file: missing }\n",
            "  - { name: bad, tunnel: \"ws://x\", server: \"http://y\", token: \"${NOT_SET_ANYWHERE}\" }\n",
        ].randomElement(using: &random)
    }

    private mutating func changeSomething(_ random: inout SplitMix64) {
        // The busy one changes as often as all others.
        let number = Bool.random(using: &random) ? busyTunnel : Int.random(in: 4..<60, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: tunnels[number == busyTunnel ? 4 : number] = nil
        case 1: tunnels[number, default: [:]]["connections"] = "\(Int.random(in: 1...3, using: &random))"
        case 2: tunnels[number, default: [:]]["timeout"] = "\(Int.random(in: 10...30, using: &random))s"
        case 3:
            tunnels[number, default: [:]]["password-file"] = ["password", "other-password"].randomElement(
                using: &random)
        case 4: tunnels[number, default: [:]]["regexp"] = "'http://127\\.0\\.0\\.1:\(number)'"
        case 5: tunnels[number, default: [:]]["insecure"] = "\(Bool.random(using: &random))"
        case 6: servers[0].options["queue-timeout"] = "\(Int.random(in: 20...30, using: &random))s"
        case 7: servers[0].options["max-clients-per-token"] = "\(Int.random(in: 2...9, using: &random))"
        case 8: if let port = try? freePort() { servers[1].port = port }
        default:
            if servers.count == 3 {
                servers.removeLast()
            } else if let port = try? freePort() {
                servers.append(Server(name: "third", port: port))
            }
        }
    }
}
