import Foundation
import Synchronization
import TestSupport

/// A program that takes part in a measurement, with the workers that it has started. All of it is killed when the value
/// goes, and when the benchmark is interrupted.
final class Running: Sendable {
    let process: ChildProcess
    private let identifier: Int32

    /// - Parameters:
    ///   - arguments: the program and what it is given.
    ///   - environment: nil for the benchmark's own.
    ///   - descriptors: what it has open as descriptors 3 and up.
    init(
        _ arguments: [String], environment: [String: String]? = nil, passing descriptors: [Int32] = []
    ) throws {
        process = try ChildProcess(arguments, environment: environment, passing: descriptors)
        identifier = process.processID
        Interruption.began(identifier)
    }

    deinit { stop() }

    /// Kills it and its workers. Safe to call again.
    func stop() {
        guard Interruption.ended(identifier) else { return }
        // The workers are asked for first: nobody's children are everybody's.
        let workers = ProcessFile.descendants(of: identifier)
        process.kill()
        for worker in workers { kill(worker, SIGKILL) }
    }

    /// What `ProcessFile.bytes` says of it and its workers.
    func bytes(_ name: String) throws -> Double { try ProcessFile.bytes(name, of: processIDs) }

    /// Itself and its workers.
    var processIDs: [Int32] { [identifier] + ProcessFile.descendants(of: identifier) }
}

/// What the kernel tells of a process in `/proc`.
enum ProcessFile {
    /// The processes that a process has started, and theirs, while it runs.
    static func descendants(of processID: Int32) -> [Int32] {
        let path = "/proc/\(processID)/task/\(processID)/children"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let children = text.split(separator: " ").compactMap { Int32($0) }
        return children + children.flatMap(descendants)
    }

    /// The processor time that processes have used, in seconds (proc(5), `utime` and `stime`).
    static func processorSeconds(of processIDs: [Int32]) throws -> Double {
        try processIDs.reduce(0) { sum, processID in
            let text = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
            let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
            guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
                throw TestFailure("no processor times of \(processID): \(text)")
            }
            return sum + (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    /// The sum of a line of `/proc/PID/status` or `/proc/PID/smaps_rollup` over processes, in bytes: `VmHWM`, `VmRSS`,
    /// `Pss`.
    static func bytes(_ name: String, of processIDs: [Int32]) throws -> Double {
        try processIDs.reduce(0) { sum, processID in
            let file = name.hasPrefix("Vm") ? "status" : "smaps_rollup"
            let text = try String(contentsOfFile: "/proc/\(processID)/\(file)", encoding: .utf8)
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            guard let words = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }), words.count > 1,
                let kibibytes = Double(words[1])
            else { throw TestFailure("no \(name) of process \(processID)") }
            return sum + kibibytes * 1024
        }
    }
}

/// What must happen when somebody presses Ctrl-C: nothing may stay behind.
enum Interruption {
    private struct State {
        var running: Set<Int32> = []
        var folders: Set<String> = []
    }
    private static let state = Mutex(State())

    static func began(_ processID: Int32) { state.withLock { _ = $0.running.insert(processID) } }

    /// - Returns: whether it was still known to run.
    static func ended(_ processID: Int32) -> Bool { state.withLock { $0.running.remove(processID) != nil } }

    static func remove(_ folder: String) { state.withLock { _ = $0.folders.insert(folder) } }

    /// From now on SIGINT and SIGTERM end the benchmark and all that it started. Call it before there are other threads.
    static func prepare() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        let awaited = signals
        Thread.detachNewThread {
            var (awaited, number) = (awaited, Int32(0))
            sigwait(&awaited, &number)
            state.withLock { state in
                for processID in state.running {
                    let all = [processID] + ProcessFile.descendants(of: processID)
                    for one in all { kill(one, SIGKILL) }
                }
                for folder in state.folders { try? FileManager.default.removeItem(atPath: folder) }
                // Under the lock, so that the main thread starts nothing more and has no end of its own.
                exit(128 + number)
            }
        }
    }
}
