import TestSupport

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

    /// The same with new connections for every tunnel but those that no edit touches.
    var everyTunnelChanged: StormFile {
        var file = self
        for number in tunnels.keys where !Self.steady.contains(number) {
            file.tunnels[number] = ["connections": "3", "password-file": "password"]
        }
        return file
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
