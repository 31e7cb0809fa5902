import Foundation
import Synchronization
import TestSupport
import Testing

/// A browser on a kept connection. It sends a request again when the connection is reset before it has seen the head of
/// the answer, a POST too.
@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(
        if: ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1", "slow: WSTUNNEL_SLOW_TESTS=1"),
    .enabled(
        if: Chromium.isThere, "no \(Chromium.path): apt-get install chromium"))
struct BrowserTests {
    private static let tries = 8

    /// Loads itself, then one POST after another whose answers break off, each behind a GET that is answered.
    private static let page = """
        <!doctype html><script>
        (async () => {
          for (let number = 0; number < \(tries); number++) {
            await (await fetch('warm?' + number, { cache: 'no-store' })).text();
            try {
              await (await fetch('broken?' + number, { method: 'POST', body: 'x' })).text();
              await fetch('whole?' + number);
            } catch { await fetch('failed?' + number); }
          }
          await fetch('done');
        })();
        </script>
        """

    @Test func aPostWhoseAnswerBreaksOffIsSentOnce() throws {
        let targets = Mutex<[String]>([])
        let done = Gate()
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                _ = try connection.readBody(of: request)
                targets.withLock { $0.append("\(request.method) \(request.target)") }
                if request.method == "POST" {
                    try connection.writeHead(200, fields: [("Content-Length", "1000")])
                    return try connection.socket.write("seven b")
                }
                let isPage = request.target == "/page"
                try connection.respond(
                    fields: [("Content-Type", "text/html")], text: isPage ? Self.page : "well")
                if request.target == "/done" { done.open() }
            }
        }
        let agent = try BesiegedAgent(origin: origin.url)
        let folder = try TemporaryFolder()
        let running = try ChildProcess([
            Chromium.path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--no-proxy-server",
            "--user-data-dir=\(folder.path)/profile",
            "http://127.0.0.1:\(agent.port)/_token/\(BesiegedAgent.token)/page",
        ])
        try done.wait(within: .seconds(120))
        running.kill()
        let seen = targets.withLock { $0 }
        for number in 0..<Self.tries {
            #expect(seen.count { $0 == "POST /broken?\(number)" } == 1, "\(seen)")
            // And what is missing is seen.
            #expect(seen.contains("GET /failed?\(number)"))
        }
    }
}
