import Foundation
import Synchronization
import TestSupport
import Testing

/// A list of origins in `server`, and their `health`.
@Suite(.timeLimit(.minutes(3))) struct SeveralOriginsTests {
    /// An origin that says which one it is, and at `/healthz` whether it is well.
    private final class Named: Sendable {
        private final class Health: Sendable {
            private let isWell = Mutex(true)
            var value: Bool {
                get { isWell.withLock { $0 } }
                set { isWell.withLock { $0 = newValue } }
            }
        }

        let origin: ScriptedOrigin
        private let health: Health
        var url: String { origin.url }

        init(_ name: String) throws {
            let health = Health()
            self.health = health
            origin = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    _ = try connection.readBody(of: request)
                    let isGood = request.target != "/healthz" || health.value
                    try connection.respond(isGood ? 200 : 500, text: isGood ? name : "ill")
                }
            }
        }

        func set(isWell: Bool) { health.value = isWell }
    }

    private static func pair(
        _ origins: [String], _ options: [String] = []
    ) throws -> TunnelPair {
        try TunnelPair(to: "[\(origins.map { "\"\($0)\"" }.joined(separator: ", "))]", clientOptions: options)
    }

    @Test func theFirstHasAllUntilItIsGone() throws {
        let (first, second) = (try Named("first"), try Named("second"))
        let pair = try Self.pair([first.url, second.url])
        for _ in 0..<4 { #expect(try pair.exchange("GET", "/").text == "first") }
        first.origin.close()
        let start = pair.client.log.count
        for method in ["GET", "GET", "POST"] {
            let body = method == "POST" ? [UInt8](repeating: 1, count: 200_000) : nil
            #expect(try pair.exchange(method, "/", body: body).text == "second")
        }
        let line = try pair.client.waitForLog(
            "Origin is down", ["origin.address": first.url, "tunnel.name": "web"], from: start)
        #expect(line["error.message"]?.contains("refuses connections") == true)
        #expect(pair.client.log.count { $0.contains("Origin is down") } == 1)
    }

    /// Nothing of it has left, so it may be a POST; its body goes to the next from its first byte on.
    @Test func aRequestThatFindsAnOriginGoneGoesToTheNextWhole() throws {
        let echo = try ScriptedOrigin.echo()
        let gone = try freePort()
        let pair = try Self.pair(["http://127.0.0.1:\(gone)", "http://localhost:\(echo.port)"])
        let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(try pair.exchange("POST", "/", body: body).body == body)
        #expect(echo.connectionCount == 1)
    }

    @Test func roundRobinUsesAll() throws {
        let (first, second) = (try Named("first"), try Named("second"))
        let pair = try Self.pair([first.url, second.url], ["balance: round-robin"])
        let answers = try (0..<10).map { _ in try pair.exchange("GET", "/").text }
        #expect(answers.count { $0 == "first" } == 5)
        #expect(answers.count { $0 == "second" } == 5)
    }

    @Test func checksTakeAnOriginOutAndBringItBack() throws {
        let (first, second) = (try Named("first"), try Named("second"))
        let pair = try Self.pair(
            [first.url, second.url],
            ["health: { path: /healthz, every: 100ms, timeout: 100ms, fall: 2, rise: 2 }"])
        #expect(try pair.exchange("GET", "/").text == "first")
        first.set(isWell: false)
        let line = try pair.client.waitForLog("Origin is down", ["origin.address": first.url])
        #expect(line["error.message"] == "/healthz was answered by 500")
        #expect(try pair.exchange("GET", "/").text == "second")
        let status = try wstunnel(["status", "--config", pair.client.configurationPath])
        _ = try status.waitForExit()
        #expect(
            status.standardOutput.text.contains("origin \(first.url) is down"),
            "\(status.standardOutput.text)")
        second.set(isWell: false)
        try pair.client.waitForLog("Origin is down", ["origin.address": second.url])
        let refused = try pair.exchange("GET", "/")
        #expect(refused.status == 503)
        #expect(refused.text.contains("All origins are down"))
        #expect(refused.text.contains("/healthz was answered by 500"))
        first.set(isWell: true)
        try pair.client.waitForLog("Origin is up again", ["origin.address": first.url])
        #expect(try pair.exchange("GET", "/").text == "first")
    }

    @Test func aSingleOriginMayBeCheckedToo() throws {
        let only = try Named("only")
        let pair = try TunnelPair(
            to: only.url,
            clientOptions: ["health: { path: /healthz, every: 100ms, timeout: 100ms, fall: 1, rise: 1 }"])
        #expect(try pair.exchange("GET", "/").text == "only")
        only.set(isWell: false)
        try pair.client.waitForLog("Origin is down")
        #expect(
            try pair.exchange("GET", "/").text.contains("The origin is down (/healthz was answered by 500)"))
        only.set(isWell: true)
        try pair.client.waitForLog("Origin is up again")
        #expect(try pair.exchange("GET", "/").text == "only")
    }

    @Test func aReloadKeepsWhatIsKnownOfOriginsThatStay() throws {
        let (first, second, third) = (try Named("first"), try Named("second"), try Named("third"))
        let pair = try Self.pair([first.url, second.url])
        first.origin.close()
        #expect(try pair.exchange("GET", "/").text == "second")
        let text = Configuration.client(
            tunnel: "ws://127.0.0.1:\(pair.port)", to: "[\"\(first.url)\", \"\(third.url)\"]",
            options: ["connections: 2"])
        try pair.client.folder.write(text, to: "tunnels.yaml")
        pair.client.process.send(signal: SIGHUP)
        try pair.client.waitForLog("Configuration applied")
        #expect(try pair.exchange("GET", "/").text == "third")
        // It was known: nobody had to find out again.
        #expect(pair.client.log.count { $0.contains("Origin is down") } == 1)
    }

    /// What it has in hand when it is killed may have been run, and is not run again: of each caller one request at most. All
    /// that begin afterwards go to the other one.
    @Test func nginxIsKilledUnderLoadAndNoRequestFailsButThoseInItsHands() throws {
        let (first, second) = (try NginxOrigin(), try NginxOrigin())
        let pair = try Self.pair([first.url, second.url], ["balance: round-robin"])
        let failures = Mutex<[String]>([])
        let (done, ended) = (WaitableCounter(), WaitableCounter())
        let stop = Mutex(false)
        for _ in 0..<4 {
            Thread.detachNewThread {
                do {
                    let connection = try pair.connect()
                    while !stop.withLock({ $0 }) {
                        let answer = try connection.exchange(
                            "GET", "/", fields: [("X-Token", TunnelPair.token)])
                        if answer.text != "Hello from nginx\n" {
                            failures.withLock { $0.append("\(answer.status) \(answer.text)") }
                        }
                        done.add(1)
                    }
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
                ended.add(1)
            }
        }
        try done.wait(for: 200, within: .seconds(60), what: "answers")
        first.kill()
        try pair.client.waitForLog("Origin is down", ["origin.address": first.url])
        try done.wait(for: done.value + 200, within: .seconds(60), what: "answers")
        stop.withLock { $0 = true }
        try ended.wait(for: 4, within: .seconds(60), what: "ends of callers")
        let failed = failures.withLock { $0 }
        #expect(failed.count <= 4)
        #expect(
            failed.allSatisfy {
                $0.hasPrefix("502 connection to") && $0.hasSuffix("broke before the response was whole\n")
            }, "\(failed)")
    }

    /// By its address an origin has no name that its certificate could be for.
    @Test func serverNamesHoldForEachOriginOfAList() throws {
        let certificate = try Certificate(for: "DNS:app.example.test")
        let origins = try (1...2).map {
            try NginxFront(certificate: certificate, "location / { return 200 \"\($0)\"; }")
        }
        let addresses = origins.map { "https://127.0.0.1:\($0.port)" }
        let trust = "certfile: \(certificate.path)"
        let named = try Self.pair(
            addresses,
            [
                "balance: round-robin",
                "origin-tls: [{ host: 127.0.0.1, server-name: app.example.test, \(trust) }]",
            ])
        #expect(Set(try (0..<4).map { _ in try named.exchange("GET", "/").text }) == ["1", "2"])
        let unnamed = try Self.pair(addresses, [trust])
        let answer = try unnamed.exchange("GET", "/")
        #expect(answer.status == 502)
        #expect(answer.text.contains("no TLS"), "\(answer.text)")
    }
}
