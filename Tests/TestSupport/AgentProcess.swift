import Foundation

/// The built `wstunnel`, run as users run it: with a configuration file, its log read from standard error.
///
/// Leave `log` out of the configuration, or keep it logfmt on standard error: readiness and ports are
/// learnt from the lines `Agent running`, `Listening` and `Session joined`.
package final class AgentProcess: Sendable {
    package let process: ChildProcess
    package let folder: TemporaryFolder
    /// The path of its `tunnels.yaml`; of nothing when it was started by flags.
    package let configurationPath: String

    /// Starts the agent and waits until it says that it runs.
    ///
    /// - Parameters:
    ///   - configuration: the text of `tunnels.yaml`; `port: 0` in it lets the kernel pick.
    ///   - files: more files for the same folder, by name.
    ///   - environment: variables beside those of the test process.
    ///   - arguments: more arguments behind `--config`.
    /// - Throws: `TestFailure` with the log when it ends, or says nothing, instead.
    package init(
        configuration: String, files: [String: String] = [:], environment: [String: String] = [:],
        arguments: [String] = [], startLimit: Duration = .seconds(20)
    ) throws {
        folder = try TemporaryFolder()
        for (name, text) in files { try folder.write(text, to: name) }
        configurationPath = try folder.write(configuration, to: "tunnels.yaml")
        process = try wstunnel(["--config", configurationPath] + arguments, environment: environment)
        try process.standardError.waitForLine(containing: #"message="Agent running""#, within: startLimit)
    }

    /// Starts the agent by a command that takes flags (`srv`, `cli`), and waits until it says that it runs.
    ///
    /// - Parameters:
    ///   - arguments: the command and its flags.
    ///   - environment: variables beside those of the test process.
    package init(
        arguments: [String], environment: [String: String] = [:], startLimit: Duration = .seconds(20)
    ) throws {
        folder = try TemporaryFolder()
        configurationPath = folder.path(of: "none.yaml")
        // Their lines are text unless told otherwise.
        let (command, flags) = (arguments.prefix(1), arguments.dropFirst())
        process = try wstunnel(command + ["-log-pretty=false"] + flags, environment: environment)
        try process.standardError.waitForLine(containing: #"message="Agent running""#, within: startLimit)
    }

    /// The log so far, a line each.
    package var log: [String] { process.standardError.lines }

    /// The port on which a server of the configuration listens.
    package func port(ofServer name: String, within limit: Duration = .seconds(20)) throws -> Int {
        let line = try waitForLog("Listening", ["server.name": name], within: limit)
        let address = line["listener.address"] ?? ""
        guard let port = address.split(separator: ":").last.flatMap({ Int($0) }), port > 0 else {
            throw TestFailure("no port in listener.address=\(address)")
        }
        return port
    }

    /// Waits until a tunnel has a session that its server knows of: from then on requests reach it.
    ///
    /// What the client says ("Session ready") is less: the server may still have to hear of it.
    ///
    /// - Parameters:
    ///   - server: the process of the tunnel's server; nil when this one is it.
    ///   - start: how many lines of the server's log to pass over (`log.count`, to wait for a new session).
    package func waitForSession(
        ofTunnel name: String, at server: AgentProcess? = nil, from start: Int = 0,
        within limit: Duration = .seconds(20)
    ) throws {
        try (server ?? self).waitForLog("Session joined", ["tunnel.name": name], from: start, within: limit)
    }

    /// Waits for a log line with that message and those fields, and gives it.
    @discardableResult
    package func waitForLog(
        _ message: String, _ fields: [String: String] = [:], from start: Int = 0,
        within limit: Duration = .seconds(20)
    ) throws -> LogfmtLine {
        let what = "the log line \"\(message)\" with \(fields)"
        let text = try process.standardError.waitForLine(from: start, within: limit, what: what) { text in
            guard let line = try? LogfmtLine(text) else { return false }
            return line["message"] == message && fields.allSatisfy { line[$0.key] == $0.value }
        }
        return try LogfmtLine(text)
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    @discardableResult
    package func stop(within limit: Duration = .seconds(40)) throws -> ChildProcess.Exit {
        process.send(signal: SIGTERM)
        return try process.waitForExit(within: limit)
    }
}

/// Starts the built `wstunnel` with any arguments.
///
/// It is looked for beside the test program, as SwiftPM builds it; the environment variable
/// `WSTUNNEL_BINARY` names another.
package func wstunnel(
    _ arguments: [String], environment: [String: String] = [:]
) throws -> ChildProcess {
    let variables = try programEnvironment(environment)
    return try ChildProcess([try wstunnelPath(variables)] + arguments, environment: variables)
}

/// The environment of a program of ours: the test's own, with a runtime folder for control sockets, so that agents that
/// are killed leave nothing in the machine's.
///
/// - Parameter variables: what else it holds, or holds instead.
package func programEnvironment(_ variables: [String: String] = [:]) throws -> [String: String] {
    var environment = ProcessInfo.processInfo.environment
    environment["RUNTIME_DIRECTORY"] = try runtimeFolder.get()
    return environment.merging(variables) { $1 }
}

/// Removed when the test process ends.
private let runtimeFolder: Result<String, any Error> = Result {
    var template = Array("/tmp/wstunnel-run-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
    atexit { if let path = try? runtimeFolder.get() { try? FileManager.default.removeItem(atPath: path) } }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Where the built program is.
/// - Parameter variables: the environment that may name another.
package func wstunnelPath(
    _ variables: [String: String] = ProcessInfo.processInfo.environment
) throws -> String {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let beside = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("wstunnel")
        .path
    let binary = variables["WSTUNNEL_BINARY"] ?? beside
    guard FileManager.default.isExecutableFile(atPath: binary) else {
        throw TestFailure("no program at \(binary); run swift build first")
    }
    return binary
}
