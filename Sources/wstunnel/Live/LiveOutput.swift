import Glibc

/// Standard output of commands that go on: each line is written at once, and it is known when nobody reads any more.
enum LiveOutput {
    /// A reader who has gone must show as an error, not end the process in the middle of something.
    static func prepare() { AgentRun.ignoreBrokenPipes() }

    /// - Returns: false when nobody reads any more.
    static func write(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var entry = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
