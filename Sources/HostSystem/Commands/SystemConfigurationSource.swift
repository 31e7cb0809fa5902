import Glibc
package import TunnelConfiguration

/// The machine itself: files, environment and commands. Every call may block, so none belongs on an event loop.
///
/// For one reading: commands that print secrets have so long in all, however many there are.
package struct SystemConfigurationSource: ConfigurationSource {
    private static let commandsTimeLimit: Duration = .seconds(60)

    private let deadline = ContinuousClock.now + Self.commandsTimeLimit

    package init() {}

    package func readFile(
        at path: String, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> ConfigurationFile {
        // Opening a FIFO would wait for a writer: O_NONBLOCK, and only regular files are read.
        let file = OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
        guard file.descriptor >= 0 else { throw ConfigurationSourceError(errno: errno) }
        var status = stat()
        guard fstat(file.descriptor, &status) == 0 else { throw ConfigurationSourceError(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .isNoRegularFile }
        var bytes: [UInt8] = []
        while let chunk = try file.read() {
            bytes += chunk
            guard bytes.count <= sizeLimit else { throw .tooLarge(limit: sizeLimit) }
        }
        return ConfigurationFile(bytes: bytes, isWorldReadable: status.st_mode & S_IROTH != 0)
    }

    package func kind(ofPath path: String) -> PathKind {
        var status = stat()
        guard stat(path, &status) == 0 else { return .missing }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    package func listFolder(at path: String) throws(ConfigurationSourceError) -> [String] {
        guard let folder = opendir(path) else { throw ConfigurationSourceError(errno: errno) }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
            guard names.count <= Self.mostNames else {
                throw .system("more than \(Self.mostNames) names in it")
            }
        }
        guard errno == 0 else { throw ConfigurationSourceError(errno: errno) }
        return names
    }

    /// No folder of configuration files is as large.
    private static let mostNames = 100_000

    package func identity(ofFile path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    package func environmentVariable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    package func firstLine(
        ofCommand command: [String], timeLimit: Duration, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> [UInt8] {
        let timeLimit = min(timeLimit, deadline - .now)
        guard timeLimit > .zero else { throw .timedOut(limit: Self.commandsTimeLimit) }
        let child = try ChildCommand(command)
        let output = try child.collectOutput(timeLimit: timeLimit, sizeLimit: sizeLimit)
        return Array(output.prefix { $0 != 0x0a && $0 != 0x0d })
    }
}

/// A descriptor that is closed when it goes out of use.
struct OwnedDescriptor: ~Copyable {
    /// Negative when opening failed.
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The next bytes, or nil at the end; empty when a descriptor that does not block has none yet.
    func read() throws(ConfigurationSourceError) -> [UInt8]? {
        var count = 0
        var code: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, initialised in
            repeat {
                count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                code = errno
            } while count < 0 && code == EINTR
            initialised = max(0, count)
        }
        if count < 0 && code != EAGAIN { throw ConfigurationSourceError(errno: code) }
        return count == 0 ? nil : chunk
    }
}

extension ConfigurationSourceError {
    /// - Parameter errno: what the failed call left there.
    init(errno code: Int32) {
        switch code {
        case ENOENT, ENOTDIR: self = .notFound
        case EACCES, EPERM: self = .notPermitted
        default: self = .system(strerror(code).map { String(cString: $0) } ?? "error \(code)")
        }
    }
}
