import Foundation
import TestSupport

/// A browser that does what scripts say, in a profile of its own.
final class Chromium {
    static let path = "/usr/bin/chromium"
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }

    private let folder: TemporaryFolder
    private let process: ChildProcess
    private let page: WebSocketConnection
    private var count = 0

    /// Opens a page.
    ///
    /// - Parameter localName: leads to 127.0.0.1.
    init(opening url: String, localName: String) throws {
        folder = try TemporaryFolder()
        process = try ChildProcess([
            Self.path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server",
            "--ignore-certificate-errors", "--user-data-dir=\(folder.path)/profile",
            "--host-resolver-rules=MAP \(localName) 127.0.0.1", "--remote-debugging-port=0", url,
        ])
        let line = try process.standardError.waitForLine(
            containing: "DevTools listening on", within: .seconds(60))
        guard let port = line.firstMatch(of: /ws:\/\/127\.0\.0\.1:(\d+)/).flatMap({ Int($0.1) }) else {
            throw TestFailure("no port in: \(line)")
        }
        page = try WebSocketConnection(
            port: port, target: try Self.pagePath(port), host: "127.0.0.1:\(port)", limit: .seconds(120))
    }

    private struct Target: Decodable {
        let type: String
        let webSocketDebuggerUrl: String
    }

    private static func pagePath(_ port: Int) throws -> String {
        let answer = try curl(["http://127.0.0.1:\(port)/json/list"])
        let targets = try JSONDecoder().decode([Target].self, from: Data(answer.text.utf8))
        guard let page = targets.first(where: { $0.type == "page" }),
            let path = URL(string: page.webSocketDebuggerUrl)?.path
        else { throw TestFailure("no page: \(answer.text)") }
        return path
    }

    private struct Reply: Decodable {
        struct Result: Decodable {
            struct Value: Decodable { let value: String? }
            let result: Value?
        }
        let id: Int?
        let result: Result?
    }

    /// Runs a script on the page.
    ///
    /// - Parameter script: gives a text, or the promise of one.
    /// - Returns: nil where it gives something else, or fails.
    func run(_ script: String) throws -> String? {
        count += 1
        let request: [String: Any] = [
            "id": count, "method": "Runtime.evaluate",
            "params": ["expression": script, "awaitPromise": true, "returnByValue": true],
        ]
        let text = String(decoding: try JSONSerialization.data(withJSONObject: request), as: UTF8.self)
        try page.send(.text(text))
        while true {
            guard case .text(let message) = try page.receive() else { continue }
            let reply = try JSONDecoder().decode(Reply.self, from: Data(message.utf8))
            if reply.id == count { return reply.result?.result?.value }
        }
    }
}
