import Glibc
import HostSystem

/// Why no password could be asked for.
enum PasswordPromptError: Error, CustomStringConvertible {
    case noTerminal
    case noPassword

    var description: String {
        switch self {
        case .noTerminal: "there is no terminal to ask on — use WSTUNNEL_PASSWORD or -password-file"
        case .noPassword: "no password was typed"
        }
    }
}

/// Asks for a password on the terminal, without showing what is typed.
///
/// Signals that would end the process wait until the terminal shows again what is typed. They are looked for in turns
/// with the terminal, on the thread that holds them back: before the agent starts there is no other that takes them.
enum PasswordPrompt {
    private static let longest = 4096
    /// How soon a signal is noticed.
    private static let turnMilliseconds: CInt = 100
    private static let endingSignals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    static func ask(_ question: String) throws(PasswordPromptError) -> String {
        guard let file = try? OwnedDescriptor(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) else {
            throw .noTerminal
        }
        let terminal = file.number
        var before = termios()
        guard tcgetattr(terminal, &before) == 0 else { throw .noTerminal }

        var held = sigset_t()
        var earlier = sigset_t()
        sigemptyset(&held)
        for signal in endingSignals + [SIGTSTP] { sigaddset(&held, signal) }
        pthread_sigmask(SIG_BLOCK, &held, &earlier)
        // Signals that came meanwhile do their work here.
        defer { pthread_sigmask(SIG_SETMASK, &earlier, nil) }

        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(terminal, TCSAFLUSH, &silent) == 0 else { throw .noTerminal }
        defer {
            tcsetattr(terminal, TCSAFLUSH, &before)
            write("\n", to: terminal)
        }
        write(question, to: terminal)
        guard let line = readLine(terminal), !line.isEmpty,
            let password = String(validating: line, as: UTF8.self)
        else { throw .noPassword }
        return password
    }

    /// The bytes before the line's end; nil at the end of input or when a signal wants the process to end.
    private static func readLine(_ terminal: CInt) -> [UInt8]? {
        var line: [UInt8] = []
        while !isEndWanted() {
            var entry = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, turnMilliseconds) > 0 else { continue }
            var chunk = [UInt8](repeating: 0, count: 256)
            let count = read(terminal, &chunk, chunk.count)
            guard count > 0, line.count + count <= longest else { return nil }
            line += chunk[..<count]
            if let end = line.firstIndex(of: 0x0a) { return Array(line[..<end]) }
        }
        return nil
    }

    private static func isEndWanted() -> Bool {
        var pending = sigset_t()
        guard sigpending(&pending) == 0 else { return true }
        return endingSignals.contains { sigismember(&pending, $0) == 1 }
    }

    private static func write(_ text: String, to terminal: CInt) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(terminal, bytes, bytes.count)
    }
}
