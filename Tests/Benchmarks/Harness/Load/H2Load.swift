import TestSupport

/// One run of h2load: requests over HTTP/2, several under way on each connection.
struct H2Load {
    let entrance: Way.Entrance
    var path = "/1k"
    let connections: Int
    let streams: Int
    let requests: Int

    /// - Returns: requests a second.
    /// - Throws: `TestFailure` when an answer was no 2xx, or none came.
    func run() throws -> Double {
        var arguments = [
            "h2load", "-c", "\(connections)", "-m", "\(streams)", "-n", "\(requests)", "-t", "2",
        ]
        for field in entrance.fields { arguments += ["-H", "\(field.name): \(field.value)"] }
        let program = try Running(arguments + [entrance.url + path])
        try program.process.waitForExit(within: .seconds(120))
        let text = program.process.standardOutput.text
        guard let rate = text.firstMatch(of: /, ([0-9.]+) req\/s/).flatMap({ Double($0.1) }),
            text.contains("\(requests) succeeded")
        else { throw TestFailure("h2load said: \(text)\(program.process.standardError.text)") }
        return rate
    }
}
