import Foundation
import TestSupport

/// A tunnel server of ours in a process of its own, access log to a file.
struct TunnelServer {
    let running: Running
    let port: Int

    init(running: Running, port: Int) { (self.running, self.port) = (running, port) }

    /// Starts one and waits until it listens.
    ///
    /// - Parameters:
    ///   - name: of its files.
    ///   - options: more keys of its entry, such as `max-requests-per-tunnel: 1000`.
    ///   - agent: more keys of its process, a line each, such as `control-socket: agent.sock`.
    ///   - socket: its listening socket, when it is held for it.
    init(
        _ bench: Bench, as name: String, options: String = "", agent: String = "",
        on socket: HeldSocket? = nil
    ) throws {
        port = try socket?.port ?? freePort()
        let configuration = try bench.folder.write(
            """
            log: { file: \(name)-server.log }
            \(agent)
            servers: [{ name: public, host: 127.0.0.1, port: \(port)\(options.isEmpty ? "" : ", " + options) }]
            """, to: "\(name)-server.yaml")
        running = try bench.agent(at: configuration, on: socket)
        try waitForListener(on: port)
    }

    /// Waits until so many tunnels are up.
    func waitForTunnels(_ count: Int, isSecure: Bool = false) throws {
        guard !isSecure else { return try waitForSecureTunnels(count) }
        let connection = try HTTPConnection(port: port)
        try retry(within: 180) {
            // Who comes from elsewhere gets the number alone, not a list of all of them.
            let fields = [("X-Forwarded-For", "192.0.2.1")]
            let text = try connection.exchange("GET", "/_stats", fields: fields).text
            let tunnels = text.firstMatch(of: /tunnels=(\d+)/).flatMap { Int($0.1) } ?? 0
            guard tunnels == count else {
                throw TestFailure("\(tunnels) of \(count) tunnels are up: \(text.prefix(200))")
            }
        }
    }

    private func waitForSecureTunnels(_ count: Int) throws {
        try retry(within: 180) {
            let answer = try curl(
                "-k", "-H", "X-Forwarded-For: 192.0.2.1", "https://127.0.0.1:\(port)/_stats")
            guard answer.text.contains("tunnels=\(count)") else {
                throw TestFailure("not all of \(count) tunnels are up: \(answer.text.prefix(200))")
            }
        }
    }
}

extension Bench {
    /// Writes the configuration of a client, and gives its path.
    ///
    /// - Parameters:
    ///   - name: of its files.
    ///   - tokens: one for each tunnel.
    ///   - options: more keys of each tunnel, such as `connections: 1`.
    ///   - scheme: `wss` for a server that speaks TLS.
    func clientConfiguration(
        _ name: String, to port: Int, tokens: [String], options: String = "connections: 1",
        scheme: String = "ws"
    ) throws -> String {
        let origins = try origins
        var text = "log: { file: \(name).log }\ntunnels:\n"
        for (number, token) in tokens.enumerated() {
            text += """
                  - { name: t\(number), tunnel: "\(scheme)://127.0.0.1:\(port)", token: \(token),
                      server: "http://127.0.0.1:\(origins.files)",
                      regexp: 'http://127\\.0\\.0\\.1:[0-9]+'\(options.isEmpty ? "" : ", " + options) }

                """
        }
        return try folder.write(text, to: "\(name).yaml")
    }
}
