import TestSupport

/// What one run of the program gave.
struct ProgramResult {
    let exit: ChildProcess.Exit
    let output: String
    let errors: String
}

/// Runs the built program to its end.
func runProgram(
    _ arguments: String..., environment: [String: String] = [:], within limit: Duration = .seconds(20)
) throws -> ProgramResult {
    let program = try wstunnel(arguments, environment: environment)
    let exit = try program.waitForExit(within: limit)
    return ProgramResult(
        exit: exit, output: program.standardOutput.text, errors: program.standardError.text)
}

/// Writes a configuration into a folder of its own and runs the program with it to its end.
func runProgram(
    withConfiguration text: String, files: [String: String] = [:], environment: [String: String] = [:]
) throws -> ProgramResult {
    let folder = try TemporaryFolder()
    for (name, text) in files { try folder.write(text, to: name) }
    let path = try folder.write(text, to: "tunnels.yaml")
    return try runProgram("--config", path, environment: environment)
}

/// A server and a tunnel to an origin in one process; `port` is known beforehand, as the tunnel needs it.
func pairConfiguration(
    port: Int, origin: String, token: String, general: String = "", server: String = "", tunnel: String = ""
) -> String {
    """
    \(general)
    servers:
      - { name: public, host: 127.0.0.1, port: \(port)\(server.isEmpty ? "" : ", " + server) }
    tunnels:
      - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: "\(token)"\
    \(tunnel.isEmpty ? "" : ", " + tunnel) }
    """
}

/// A server alone, on a port that the kernel picks.
let serverAlone = """
    servers:
      - { name: public, host: 127.0.0.1, port: 0 }
    """
