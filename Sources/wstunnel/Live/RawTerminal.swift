import Glibc
import HostSystem

/// The terminal, taken over by a program that draws all of it and gets each key. Whatever ends the program gives it back as it
/// was: signals that would end it wait, on the thread that made this, until they are asked for.
final class RawTerminal {
    private static let endingSignals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// Another screen, without a cursor, where lines that are too long are cut.
    private static let enter = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l"
    private static let leave = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l"

    /// Where keys come from.
    let input: CInt
    private var before = termios()
    private var earlier = sigset_t()
    private var isTaken = false

    /// - Returns: nil where there is no terminal for keys.
    init?(input: CInt) {
        self.input = input
        guard tcgetattr(input, &before) == 0 else { return nil }
        var held = sigset_t()
        sigemptyset(&held)
        for signal in Self.endingSignals + [SIGTSTP] { sigaddset(&held, signal) }
        pthread_sigmask(SIG_BLOCK, &held, &earlier)
        guard take() else {
            pthread_sigmask(SIG_SETMASK, &earlier, nil)
            return nil
        }
    }

    private func take() -> Bool {
        var raw = before
        cfmakeraw(&raw)
        guard tcsetattr(input, TCSAFLUSH, &raw) == 0 else { return false }
        isTaken = true
        return LiveOutput.write(Self.enter)
    }

    private func giveBack() {
        guard isTaken else { return }
        isTaken = false
        _ = LiveOutput.write(Self.leave)
        tcsetattr(input, TCSAFLUSH, &before)
    }

    /// Gives the terminal back. Signals that came meanwhile do their work here.
    func close() {
        giveBack()
        pthread_sigmask(SIG_SETMASK, &earlier, nil)
    }

    /// Stops the process as Ctrl-Z does, until the shell goes on with it.
    func suspend() {
        giveBack()
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTSTP)
        if Self.isPending(SIGTSTP) { _ = sigtimedwait(&signals, nil, nil) }
        raise(SIGSTOP)
        _ = take()
    }

    /// Whether a signal wants the process to end.
    var isEndWanted: Bool { Self.endingSignals.contains(where: Self.isPending) }

    /// Whether one wants it to stop for a while.
    var isStopWanted: Bool { Self.isPending(SIGTSTP) }

    private static func isPending(_ signal: CInt) -> Bool {
        var pending = sigset_t()
        return sigpending(&pending) == 0 && sigismember(&pending, signal) == 1
    }

    /// Columns and lines.
    var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// - Returns: false when the terminal is gone.
    func draw(_ lines: [String]) -> Bool {
        let text = lines.map { "\($0)\u{1b}[K" }.joined(separator: "\r\n")
        return LiveOutput.write("\u{1b}[H\(text)\u{1b}[J")
    }

    /// The keys' bytes that have come, empty when there are none within the time or something else wakes it.
    ///
    /// - Returns: nil when the terminal is gone.
    func read(orWhen other: CInt, within milliseconds: CInt) -> [UInt8]? {
        var entries = [
            pollfd(fd: input, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&entries, 2, milliseconds) > 0, entries[0].revents != 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(input, &bytes, bytes.count)
        guard count > 0 else { return count < 0 && errno == EINTR ? [] : nil }
        return Array(bytes[..<count])
    }
}
