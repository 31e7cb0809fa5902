import Foundation
import Synchronization
import TestSupport
import Testing

/// Many callers at once: each gets its own answer, whole, whatever the others do.
@Suite struct CrowdTests {
    /// The body that an origin makes for a request: its name, filled up with bytes that follow from it.
    private static func body(for target: String, of origin: String) -> [UInt8] {
        let name = Array("\(origin) \(target) ".utf8)
        // Every other request has a body of 50 KiB.
        guard target.hasSuffix("0") || target.hasSuffix("5") else { return name }
        let seed = target.utf8.reduce(UInt64(5381)) { $0 &* 33 &+ UInt64($1) }
        return name + SplitMix64(seed: seed).sequence(50 << 10)
    }

    private static func namingOrigin(_ name: String) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(body: body(for: request.target, of: name))
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func twoThousandRequestsGetTheirOwnAnswers() throws {
        let origins = [try Self.namingOrigin("first"), try Self.namingOrigin("second")]
        let tokens = ["first-tunnel-token-01", "second-tunnel-token-2"]
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let url = "ws://127.0.0.1:\(port)"
        let client = try AgentProcess(
            configuration: "version: 1\ntunnels:\n"
                + Configuration.entry(
                    name: "one", tunnel: url, to: origins[0].url, token: tokens[0],
                    options: ["connections: 2"])
                + Configuration.entry(
                    name: "two", tunnel: url, to: origins[1].url, token: tokens[1],
                    options: ["connections: 2"]
                ))
        try server.waitForSessions(4)
        let wrong = try inThreads(200) { caller in
            let connection = try HTTPConnection(port: port, limit: .seconds(40))
            var wrong: [String] = []
            for round in 0..<10 {
                let number = round * 200 + caller
                let which = (caller + round) % 2
                let target = "/request/\(number)"
                let answer = try connection.exchange("GET", target, fields: [("X-Token", tokens[which])])
                let expected = Self.body(for: target, of: which == 0 ? "first" : "second")
                if answer.status != 200 || answer.body != expected {
                    wrong.append("\(target): \(answer.status), \(answer.body.count) bytes")
                }
            }
            return wrong
        }
        #expect(wrong.flatMap { $0 }.isEmpty)
        #expect(client.process.exit == nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func downloadsStayWholeWhileOthersLeave() throws {
        let seed = UInt64.random(in: 0 ... .max)
        let origin = try NginxOrigin(largeMebibytes: 10)
        let tunnel = try TunnelPair(to: origin.url)
        let expected = try sha256(ofFile: origin.root + "/large.bin")
        let folder = try TemporaryFolder()
        let leaversMayGoOn = Mutex(true)
        let leavers = (0..<40).map { number in
            Background {
                var random = SplitMix64(seed: seed &+ UInt64(number))
                while leaversMayGoOn.withLock({ $0 }) {
                    let caller = try tunnel.connect()
                    try caller.send("GET", "/large.bin", fields: [("X-Token", TunnelPair.token)])
                    var left = Int.random(in: 0..<(1 << 20), using: &random)
                    while left > 0 { left -= try caller.socket.readSome().count }
                    if Bool.random(using: &random) { caller.close() } else { caller.reset() }
                }
            }
        }
        defer { leaversMayGoOn.withLock { $0 = false } }
        let downloads = try inThreads(20) { number in
            let copy = folder.path(of: "\(number)")
            let answer = try tunnel.curl("/large.bin", "-o", copy, within: .seconds(50))
            return "\(answer.exitCode) \(answer.status) \(try sha256(ofFile: copy))"
        }
        #expect(downloads == [String](repeating: "0 200 \(expected)", count: 20), "seed \(seed)")
        leaversMayGoOn.withLock { $0 = false }
        for leaver in leavers { _ = try? leaver.value() }
        #expect(try tunnel.exchange("GET", "/index.html").status == 200)
    }
}
