import AgentStatus
import Glibc
import HostSystem
import TunnelConfiguration

/// What goes to people directly, before there is a log.
enum Terminal {
    /// Puts `/dev/null` where a standard stream is closed: else the next socket or file takes its number, and what is
    /// meant for people goes into that.
    static func openMissingStreams() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDWR)
        }
    }

    static func printToStandardError(_ text: String) { StandardError.write(text) }

    /// What standard output can show: everything, unless it is a terminal.
    static var outputStyle: TextStyle {
        guard isatty(STDOUT_FILENO) == 1 else { return .plain }
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return TextStyle(width: isKnown ? Int(size.ws_col) : 80, hasColour: wantsColour)
    }

    /// The same for lines that may be longer than the terminal is wide.
    static var lineStyle: TextStyle { TextStyle(width: nil, hasColour: outputStyle.hasColour) }

    /// Where somebody looks on (https://no-color.org).
    private static var wantsColour: Bool {
        let isRefused = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? false
        return !isRefused && !isDumb
    }

    /// With the offending lines on a terminal, and colours where they are wanted.
    static func printToStandardError(_ report: ConfigurationReport) {
        let isTerminal = isatty(STDERR_FILENO) == 1
        let hasColour = isTerminal && wantsColour
        printToStandardError(
            ProblemRendering.text(of: report, hasExcerpts: isTerminal, hasColour: hasColour))
    }
}
