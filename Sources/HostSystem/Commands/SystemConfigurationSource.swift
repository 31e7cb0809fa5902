import Glibc
import SystemPackage
package import TunnelConfiguration

/// The machine itself: files, environment and commands. Every call may block, so none belongs on an event loop.
///
/// For one reading: commands that print secrets have so long in all, however many there are.
package struct SystemConfigurationSource: ConfigurationSource {
    private static let commandsTimeLimit: Duration = .seconds(60)

    private let deadline = ContinuousClock.now + Self.commandsTimeLimit

    private let commands: RunningCommands
    private let checkKeyPair: @Sendable (KeyPair) -> KeyPairFault?

    /// - Parameters:
    ///   - commands: counts those that run.
    ///   - checkKeyPair: whether a private key is a certificate's, which takes a TLS library.
    package init(
        commands: RunningCommands = RunningCommands(),
        checkKeyPair: @escaping @Sendable (KeyPair) -> KeyPairFault? = { _ in nil }
    ) {
        self.commands = commands
        self.checkKeyPair = checkKeyPair
    }

    package var now: Int { time(nil) }

    package func fault(of pair: KeyPair) -> KeyPairFault? { checkKeyPair(pair) }

    package func readFile(
        at path: String, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> ConfigurationFile {
        // Opening a FIFO would wait for a writer: O_NONBLOCK, and only regular files are read.
        let file = try ConfigurationSourceError.of { () throws(Errno) in
            try OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
        }
        let status = try ConfigurationSourceError.of { () throws(Errno) in
            try Stat(FileDescriptor(rawValue: file.number))
        }
        guard status.type == .regular else { throw .isNoRegularFile }
        var bytes: [UInt8] = []
        while let chunk = try ConfigurationSourceError.of({ () throws(Errno) in try file.read() }) {
            bytes += chunk
            guard bytes.count <= sizeLimit else { throw .tooLarge(limit: sizeLimit) }
        }
        return ConfigurationFile(bytes: bytes, isWorldReadable: status.permissions.contains(.otherRead))
    }

    package func kind(ofPath path: String) -> PathKind {
        switch try? Stat(FilePath(path)).type {
        case nil: .missing
        case .regular: .file
        case .directory: .folder
        default: .other
        }
    }

    package func listFolder(at path: String) throws(ConfigurationSourceError) -> [String] {
        guard let folder = opendir(path) else { throw ConfigurationSourceError(.latest) }
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
        guard errno == 0 else { throw ConfigurationSourceError(.latest) }
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
        let child = try ConfigurationSourceError.of { () throws(Errno) in
            try ChildCommand(command, countedIn: commands)
        }
        let output = try child.collectOutput(timeLimit: timeLimit, sizeLimit: sizeLimit)
        return Array(output.prefix { $0 != 0x0a && $0 != 0x0d })
    }
}

extension ConfigurationSourceError {
    /// Does something, and says in these words what the system said to it.
    static func of<Value: ~Copyable>(
        _ work: () throws(Errno) -> Value
    ) throws(ConfigurationSourceError) -> Value {
        do throws(Errno) {
            return try work()
        } catch {
            throw ConfigurationSourceError(error)
        }
    }

    init(_ error: Errno) {
        switch error {
        case .noSuchFileOrDirectory, .notDirectory: self = .notFound
        case .permissionDenied, .notPermitted: self = .notPermitted
        default: self = .system(error.description)
        }
    }
}
