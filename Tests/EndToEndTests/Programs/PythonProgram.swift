import Foundation
import TestSupport

/// A program from PyPI as an origin, out of the virtual environment that `Tests/run.sh` makes of `requirements.txt`.
final class PythonProgram: Sendable {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    private static let environment = folder.appending(path: "../../../.build/programs").standardized.path

    /// Why there are none, for those tests that are left out then.
    static let missing = "no .build/programs: Tests/run.sh makes it of Programs/requirements.txt"
    static var areThere: Bool {
        FileManager.default.fileExists(atPath: environment + "/requirements.txt")
    }

    /// Whether a program is among them.
    static func has(_ name: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: environment + "/bin/\(name)")
    }

    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }
    /// Its own, thrown away with it.
    let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts a script beside this file, which says where it listens; it is given its folder.
    init(script: String) throws {
        folder = try TemporaryFolder()
        process = try ChildProcess(
            [
                Self.environment + "/bin/python", Self.folder.appending(path: "python/\(script)").path,
                folder.path,
            ],
            environment: Self.variables(folder.path))
        do {
            let line = try process.standardOutput.waitForLine(
                containing: "listening on ", within: .seconds(60))
            guard let port = line.split(separator: " ").last.flatMap({ Int($0) }) else {
                throw TestFailure("no port in: \(line)")
            }
            self.port = port
        } catch {
            throw TestFailure("\(script): \(error)\n\(process.standardError.text)")
        }
    }

    /// Runs a program that comes to an end.
    static func run(_ name: String, _ arguments: [String], in folder: TemporaryFolder) throws -> ChildProcess
    {
        try ChildProcess(
            [environment + "/bin/\(name)"] + arguments, environment: variables(folder.path))
    }

    /// Starts Jupyter's server, which has to be told a port.
    ///
    /// - Parameter name: of the program.
    init(_ name: String = "jupyter-server", jupyterToken token: String, options: [String] = []) throws {
        folder = try TemporaryFolder()
        var lastFailure: any Error = TestFailure("Jupyter was not started")
        for _ in 0..<5 {
            let port = try freePort()
            let process = try ChildProcess(
                [
                    Self.environment + "/bin/\(name)", "--no-browser", "--allow-root",
                    "--ip=127.0.0.1", "--port=\(port)", "--ServerApp.port_retries=0",
                    "--IdentityProvider.token=\(token)", "--ServerApp.root_dir=\(folder.path)",
                ] + options, environment: Self.variables(folder.path))
            do {
                try process.standardError.waitForLine(containing: "is running at:", within: .seconds(90))
                (self.process, self.port) = (process, port)
                return
            } catch {
                lastFailure = TestFailure("\(error)\n\(process.standardError.text)")
            }
        }
        throw lastFailure
    }

    /// Nothing of the user's own.
    private static func variables(_ home: String) -> [String: String] {
        [
            "HOME": home, "PATH": "\(environment)/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "JUPYTER_PLATFORM_DIRS": "1",
        ]
    }
}
