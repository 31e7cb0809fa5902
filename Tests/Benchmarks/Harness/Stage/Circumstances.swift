import Foundation
import TestSupport

/// What a figure means little without.
enum Circumstances {
    static func found(program: String) -> [String: String] {
        var machine = utsname()
        uname(&machine)
        let kernel = withUnsafeBytes(of: machine.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return [
            "kernel": kernel,
            "cores": "\(ProcessInfo.processInfo.activeProcessorCount)",
            "date": ISO8601DateFormatter().string(from: Date()),
            "revision": output(["git", "describe", "--always", "--dirty", "--abbrev=12"]),
            "program": output([program, "--version"]),
            "nginx": output(["/usr/sbin/nginx", "-v"]),
            "open files": "\(Limits.openFiles)",
        ]
    }

    /// What a program says; empty when it cannot be run.
    private static func output(_ arguments: [String]) -> String {
        guard let child = try? ChildProcess(arguments), (try? child.waitForExit()) != nil else { return "" }
        return (child.standardOutput.text + child.standardError.text)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// What the machine allows.
enum Limits {
    /// The most files that a process may have open.
    static var openFiles: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// As many open files as may be, for the benchmark and for the programs that it starts.
    static func raiseOpenFiles() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
