import Glibc
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

    static func printToStandardError(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    /// With the offending lines on a terminal, and colours where they are wanted.
    static func printToStandardError(_ report: ConfigurationReport) {
        let isTerminal = isatty(STDERR_FILENO) == 1
        let hasColour = isTerminal && getenv("NO_COLOR") == nil
        printToStandardError(
            ProblemRendering.text(of: report, hasExcerpts: isTerminal, hasColour: hasColour))
    }
}
