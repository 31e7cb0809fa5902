import Glibc

/// The file that holds the process's id while it runs.
struct Pidfile {
    private let path: String?

    /// Writes the file, or nothing when there is no path.
    init(path: String?) throws(PidfileError) {
        self.path = path
        guard let path else { return }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { throw PidfileError(path: path, code: errno) }
        let text = Array("\(getpid())\n".utf8)
        let written = write(descriptor, text, text.count)
        let code = errno
        close(descriptor)
        guard written == text.count else { throw PidfileError(path: path, code: code) }
    }

    /// Removes the file, unless another process has put its own id there.
    func remove() {
        guard let path else { return }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        var text = [UInt8](repeating: 0, count: 32)
        let count = read(descriptor, &text, text.count)
        close(descriptor)
        if text.prefix(max(0, count)).elementsEqual("\(getpid())\n".utf8) { unlink(path) }
    }
}

/// A pidfile that cannot be written.
struct PidfileError: Error, CustomStringConvertible {
    var path: String
    var code: CInt

    var description: String {
        "pidfile: cannot write \(path): \(String(cString: strerror(code))) — check that its folder exists and is writable"
    }
}
