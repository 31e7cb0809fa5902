import Glibc
import Synchronization
import SystemPackage
import TunnelConfiguration

/// Commands that run now, so that none outlives the process that started it.
package final class RunningCommands: Sendable {
    private let groups = Mutex<Set<pid_t>>([])

    package init() {}

    /// Starts a command and counts it.
    ///
    /// - Parameter spawn: gives its process group.
    fileprivate func start(_ spawn: () throws(Errno) -> pid_t) throws(Errno) -> pid_t {
        try groups.withLock { groups throws(Errno) in
            let group = try spawn()
            groups.insert(group)
            return group
        }
    }

    /// Reaps a command. A number that is reaped may be another process's later: it is not counted any more.
    ///
    /// - Parameter wait: gives the command's group when it was reaped.
    fileprivate func reap(_ wait: () -> pid_t?) {
        groups.withLock { groups in
            if let group = wait() { groups.remove(group) }
        }
    }

    /// Kills all of them, for the end of the process.
    package func kill() {
        groups.withLock { groups in
            for group in groups { _ = Glibc.kill(-group, SIGKILL) }
        }
    }
}

/// A command running without a shell, its standard output in a pipe of ours, standard input empty, standard error
/// ours. It leads a process group of its own, so that killing it takes its children along.
struct ChildCommand: ~Copyable {
    private let pid: pid_t
    private let output: OwnedDescriptor
    private let running: RunningCommands

    /// Starts the command. A program without `/` is looked up in `PATH`.
    ///
    /// - Parameter running: counts it while it runs.
    init(_ command: [String], countedIn running: RunningCommands) throws(Errno) {
        guard let program = command.first else { throw .noSuchFileOrDirectory }
        var ends: [CInt] = [-1, -1]
        try SocketCalls.check(pipe(&ends))
        let readEnd = try OwnedDescriptor(ends[0])
        let input = try OwnedDescriptor(ends[1])
        // A process started by another thread just now may inherit the ends. That holds up nothing: the
        // command's own end is waited for, not only the end of its output.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        pid = try running.start { () throws(Errno) in
            try Self.spawn(program, command, output: input.number)
        }
        output = readEnd
        self.running = running
    }

    /// Everything that the command writes until it ends. The command has ended and is reaped on every path
    /// out of here.
    /// - Throws: when it fails, runs too long or writes too much.
    consuming func collectOutput(
        timeLimit: Duration, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> [UInt8] {
        let deadline = ContinuousClock.now + timeLimit
        var bytes: [UInt8] = []
        var isOpen = true
        while true {
            // Asked before the last read, so that nothing written before the end is missed.
            let status = exitStatus()
            do {
                try drain(into: &bytes, isOpen: &isOpen, sizeLimit: sizeLimit)
            } catch {
                if status == nil { killAndReap() }
                throw error
            }
            if let status {
                try Self.check(status)
                return bytes
            }
            guard ContinuousClock.now < deadline else {
                killAndReap()
                throw .timedOut(limit: timeLimit)
            }
            waitForOutput(isOpen: isOpen)
        }
    }

    /// Takes what the pipe holds now.
    private func drain(
        into bytes: inout [UInt8], isOpen: inout Bool, sizeLimit: Int
    ) throws(ConfigurationSourceError) {
        while isOpen {
            guard let chunk = try ConfigurationSourceError.of({ () throws(Errno) in try output.read() })
            else {
                isOpen = false
                return
            }
            guard !chunk.isEmpty else { return }
            bytes += chunk
            guard bytes.count <= sizeLimit else { throw .tooLarge(limit: sizeLimit) }
        }
    }

    /// Ends the command and its process group, and leaves no zombie. Only before it is reaped: its number may
    /// be another process's later.
    private func killAndReap() {
        kill(-pid, SIGKILL)
        running.reap {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            return pid
        }
    }

    /// Waits a moment for output or the end of the command.
    private func waitForOutput(isOpen: Bool) {
        var entry = pollfd(fd: output.number, events: Int16(POLLIN), revents: 0)
        // Once the pipe is closed only the end of the command is left to wait for, and nothing announces it.
        poll(&entry, isOpen ? 1 : 0, 20)
    }

    /// The wait status of the command once it has ended; it is reaped then.
    private func exitStatus() -> Int32? {
        var status: Int32 = 0
        var hasEnded = false
        running.reap {
            hasEnded = waitpid(pid, &status, WNOHANG) == pid
            return hasEnded ? pid : nil
        }
        return hasEnded ? status : nil
    }

    /// Reads a wait status as `WIFSIGNALED` and `WEXITSTATUS` do.
    private static func check(_ status: Int32) throws(ConfigurationSourceError) {
        let signal = status & 0x7f
        guard signal == 0 else { throw .killed(signal: Int(signal)) }
        let code = (status >> 8) & 0xff
        guard code == 0 else { throw .failed(status: Int(code)) }
    }

    private static func spawn(
        _ program: String, _ command: [String], output: CInt
    ) throws(Errno) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        // The agent may block or ignore signals; the command starts as from a shell.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        // C strings for the length of the call.
        let arguments = command.map { strdup($0) }
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, program, &actions, &attributes, arguments + [nil], environ)
        guard code == 0 else { throw Errno(rawValue: code) }
        return child
    }
}
