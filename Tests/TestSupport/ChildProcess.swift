import Foundation
import Synchronization

/// A program that runs beside the test. It is killed when its owner lets go of it.
package final class ChildProcess: Sendable {
    /// How a program ended.
    package enum Exit: Hashable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    package let processID: Int32
    package let standardOutput = ChildOutput()
    package let standardError = ChildOutput()
    private let life: Life

    /// Starts a program, its standard input empty.
    ///
    /// - Parameters:
    ///   - arguments: the program (looked for in PATH unless it has a slash) and what it is given.
    ///   - environment: all of its environment; nil for a copy of the test's own.
    ///   - descriptors: what it has open as descriptors 3 and up.
    package init(
        _ arguments: [String], environment: [String: String]? = nil, passing descriptors: [Int32] = []
    ) throws {
        let started = try descriptorLock.withLock { _ in
            try Self.start(arguments, environment: environment, descriptors)
        }
        processID = started.processID
        life = Life(processID: processID)
        life.startWaiting()
        standardOutput.startReading(started.output)
        standardError.startReading(started.error)
    }

    deinit { life.send(SIGKILL) }

    /// Sends a signal, unless the program has ended.
    package func send(signal: Int32) { life.send(signal) }

    /// How it ended; nil while it runs.
    package var exit: Exit? { life.exit }

    /// Waits for its end and the end of its outputs.
    ///
    /// - Throws: `TestFailure` with its output when the time is up first; it is killed then.
    @discardableResult
    package func waitForExit(within limit: Duration = .seconds(60)) throws -> Exit {
        guard let exit = life.waitForExit(within: limit) else {
            life.send(SIGKILL)
            throw TestFailure(
                "process \(processID) did not end within \(limit). Its standard error:\n\(standardError.text)"
            )
        }
        try standardOutput.waitForEnd()
        try standardError.waitForEnd()
        return exit
    }

    /// Kills it and waits for its end.
    package func kill() {
        life.send(SIGKILL)
        _ = life.waitForExit(within: .seconds(20))
    }

    /// The most memory it has had resident, in bytes (`VmHWM`). Only while it runs.
    package func peakResidentBytes() throws -> Int { try statusField("VmHWM") * 1024 }

    /// The memory it has resident, in bytes (`VmRSS`). Only while it runs.
    package func residentBytes() throws -> Int { try statusField("VmRSS") * 1024 }

    private func statusField(_ name: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix(name + ":") {
            if let number = Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) { return number }
        }
        throw TestFailure("no \(name) of process \(processID)")
    }
}

// MARK: - Spawning

/// Held while a descriptor exists that a child must not inherit but is not yet marked so: a child that
/// keeps the other end of a pipe or connection open would hide its end from the test.
let descriptorLock = Mutex(())

extension ChildProcess {
    private static func start(
        _ arguments: [String], environment: [String: String]?, _ descriptors: [Int32]
    ) throws -> (processID: Int32, output: Int32, error: Int32) {
        let output = try makePipe()
        let errors = try makePipe()
        defer {
            close(output.writeEnd)
            close(errors.writeEnd)
        }
        do {
            let processID = try spawn(
                arguments, environment: environment, output: output.writeEnd, error: errors.writeEnd,
                descriptors)
            return (processID, output.readEnd, errors.readEnd)
        } catch {
            close(output.readEnd)
            close(errors.readEnd)
            throw error
        }
    }

    private static func makePipe() throws -> (readEnd: Int32, writeEnd: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw TestFailure("pipe: errno \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ arguments: [String], environment: [String: String]?, output: Int32, error: Int32,
        _ descriptors: [Int32]
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, error, 2)
        // By way of numbers beyond all of them: one's own number may be another's destination.
        let (first, beyond) = (Int32(3), Int32(500))
        for (index, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, beyond + Int32(index))
        }
        for index in descriptors.indices {
            posix_spawn_file_actions_adddup2(&actions, beyond + Int32(index), first + Int32(index))
            posix_spawn_file_actions_addclose(&actions, beyond + Int32(index))
        }

        // The child gets no signal settings of the test process: a program expects the usual ones.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        let variables = (environment ?? ProcessInfo.processInfo.environment).map { "\($0)=\($1)" }
        var processID: Int32 = 0
        let result = withCStrings(arguments) { arguments in
            withCStrings(variables) { variables in
                guard let values = arguments.baseAddress, let program = values[0] else { return EINVAL }
                return posix_spawnp(
                    &processID, program, &actions, &attributes, values, variables.baseAddress)
            }
        }
        guard result == 0 else { throw TestFailure("cannot start \(arguments): errno \(result)") }
        return processID
    }

    private static func withCStrings<Value>(
        _ strings: [String], _ body: (UnsafeBufferPointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) -> Value {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        let terminated = copies + [nil]
        return terminated.withUnsafeBufferPointer { body($0) }
    }
}

/// Knows whether the process still runs. Its thread holds it, so that the process is reaped in any case.
private final class Life: @unchecked Sendable {
    private let processID: Int32
    // Guarded by `condition`.
    private var storedExit: ChildProcess.Exit?
    private let condition = NSCondition()

    init(processID: Int32) { self.processID = processID }

    var exit: ChildProcess.Exit? { condition.withLock { storedExit } }

    /// Under the lock, so that the id cannot belong to another process by now.
    func send(_ signal: Int32) {
        condition.withLock { if storedExit == nil, processID > 0 { _ = kill(processID, signal) } }
    }

    func waitForExit(within limit: Duration) -> ChildProcess.Exit? {
        let deadline = Date(timeIntervalSinceNow: limit.inSeconds)
        return condition.withLock {
            while storedExit == nil { if !condition.wait(until: deadline) { break } }
            return storedExit
        }
    }

    func startWaiting() {
        Thread.detachNewThread { [self] in
            var information = siginfo_t()
            while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
            condition.withLock {
                var status: Int32 = 0
                waitpid(processID, &status, 0)
                storedExit = status & 0x7f == 0 ? .code((status >> 8) & 0xff) : .signal(status & 0x7f)
                condition.broadcast()
            }
        }
    }
}
