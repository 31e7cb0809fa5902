import BenchmarkReport
import TestSupport

/// One run of wrk.
struct Wrk {
    let entrance: Way.Entrance
    var path = "/1k"
    let connections: Int
    let seconds: Int
    /// A Lua script.
    var script: String?

    init(
        _ entrance: Way.Entrance, path: String = "/1k", connections: Int, seconds: Int, script: String? = nil
    ) {
        self.entrance = entrance
        self.path = path
        self.connections = connections
        self.seconds = seconds
        self.script = script
    }

    /// - Throws: `TestFailure` when an answer was no 2xx or a socket failed: such a run measures nothing.
    func run() throws -> WrkResult {
        let result = try runAnyhow()
        guard result.refusals == 0, result.socketErrors == 0 else {
            throw TestFailure(
                "\(result.refusals) answers that are not 2xx, \(result.socketErrors) socket errors, "
                    + "of \(result.requests) requests to \(path)")
        }
        return result
    }

    /// The same, errors and all.
    func runAnyhow() throws -> WrkResult {
        var arguments = [
            "wrk", "--latency", "-c", "\(connections)", "-t", connections > 1 ? "2" : "1", "-d",
            "\(seconds)s",
            "--timeout", "20s",
        ]
        for field in entrance.fields { arguments += ["-H", "\(field.name): \(field.value)"] }
        if let script { arguments += ["-s", script] }
        let wrk = try Running(arguments + [entrance.url + path])
        try wrk.process.waitForExit(within: .seconds(seconds + 60))
        let text = wrk.process.standardOutput.text
        guard let result = WrkResult(parsing: text) else {
            throw TestFailure("wrk said: \(text)\(wrk.process.standardError.text)")
        }
        return result
    }
}
