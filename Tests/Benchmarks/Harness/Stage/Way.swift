import Foundation
import TestSupport

/// A way from callers to the origins: through our tunnel, through two nginx, through `ssh -R`.
final class Way {
    /// One of the processes that make the way.
    struct Member {
        /// `server` or `client`, whatever the program: the callers' end and the origins' end.
        let role: String
        let running: Running
    }

    /// Where callers go in, for one of the origins.
    struct Entrance: Sendable {
        let port: Int
        /// What comes before the path.
        var fields: [(name: String, value: String)] = []
        /// Whether TLS is spoken, by a certificate of no authority.
        var isSecure = false

        var url: String { "\(isSecure ? "https" : "http")://127.0.0.1:\(port)" }
    }

    /// The side of the report that it is.
    let name: String
    let members: [Member]
    /// To the files.
    let files: Entrance
    /// To the sink for uploads.
    let sink: Entrance
    /// To the echo of WebSocket messages.
    let echo: Entrance

    init(_ name: String, members: [Member], files: Entrance, sink: Entrance, echo: Entrance) {
        self.name = name
        self.members = members
        self.files = files
        self.sink = sink
        self.echo = echo
    }

    /// The processor time that each role has used so far, in seconds.
    func processorSeconds() throws -> [String: Double] {
        try reading { try ProcessFile.processorSeconds(of: $0) }
    }

    /// The most memory that each role has had, in bytes.
    func peakMemory() throws -> [String: Double] { try reading { try ProcessFile.bytes("VmHWM", of: $0) } }

    private func reading(_ read: ([Int32]) throws -> Double) throws -> [String: Double] {
        var result: [String: Double] = [:]
        for member in members { result[member.role, default: 0] += try read(member.running.processIDs) }
        return result
    }

    /// Waits until a request goes through.
    func waitUntilOpen() throws {
        try waitForListener(on: files.port)
        try wstunnel_bench.waitUntilOpen(files)
    }
}

/// Waits until a request for a file goes through.
func waitUntilOpen(_ entrance: Way.Entrance, within limit: TimeInterval = 20) throws {
    try retry(within: limit) {
        guard !entrance.isSecure else {
            let fields = entrance.fields.flatMap { ["-H", "\($0.name): \($0.value)"] }
            let answer = try curl(fields + ["-k", "-o", "/dev/null", "\(entrance.url)/1k"])
            guard answer.status == 200 else {
                throw TestFailure("the first request was answered with \(answer.status)")
            }
            return
        }
        let connection = try HTTPConnection(port: entrance.port, limit: .seconds(30))
        defer { connection.close() }
        let fields = entrance.fields.map { ($0.name, $0.value) }
        let answer = try connection.exchange("GET", "/1k", fields: fields)
        guard answer.status == 200, answer.body.count == 1024 else {
            throw TestFailure("the first request was answered with \(answer.status)")
        }
    }
}

/// Waits until somebody listens on a port.
func waitForListener(on port: Int, within limit: TimeInterval = 20) throws {
    try retry(within: limit) { try StreamSocket(port: port).close() }
}

/// Tries until it works: for what gives no event to wait for, such as a program that logs to a file.
func retry(within limit: TimeInterval, _ body: () throws -> Void) throws {
    let deadline = Date(timeIntervalSinceNow: limit)
    while true {
        do {
            return try body()
        } catch {
            guard Date() < deadline else { throw error }
            usleep(5000)
        }
    }
}
