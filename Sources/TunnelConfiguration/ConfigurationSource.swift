/// Everything that loading a configuration asks of the outside world. The module itself touches nothing else,
/// so a test can stand in for the whole machine.
package protocol ConfigurationSource {
    /// Reads a whole file.
    /// - Parameters:
    ///   - path: absolute, or relative to the working folder.
    ///   - sizeLimit: longest content, in bytes.
    /// - Throws: when it is missing, no regular file, unreadable, or longer than the limit.
    func readFile(at path: String, sizeLimit: Int) throws(ConfigurationSourceError) -> ConfigurationFile

    /// What stands at a path, following links.
    func kind(ofPath path: String) -> PathKind

    /// The names in a folder, in any order, without `.` and `..`.
    /// - Parameter path: absolute, or relative to the working folder.
    /// - Throws: when it is missing, no folder, unreadable, or holds more names than one would look through.
    func listFolder(at path: String) throws(ConfigurationSourceError) -> [String]

    /// A text that is the same for all paths of one file, so that none is read twice under two names.
    func identity(ofFile path: String) -> String

    /// Seconds since 1970.
    var now: Int { get }

    /// Why a private key is of no use for its certificate; nil where it is good.
    func fault(of pair: KeyPair) -> KeyPairFault?

    /// An environment variable, or nil when it is not set.
    func environmentVariable(_ name: String) -> String?

    /// Runs a command without a shell and gives the first line of its standard output, without the line's end.
    /// - Parameters:
    ///   - command: program and arguments, never empty. A program without `/` is looked up in `PATH`.
    ///   - timeLimit: the child is killed after this.
    ///   - sizeLimit: longest line, in bytes.
    /// - Throws: when it cannot be started, fails, takes too long or writes too long a line.
    func firstLine(
        ofCommand command: [String], timeLimit: Duration, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> [UInt8]
}

/// A file's content and what matters of its permissions.
package struct ConfigurationFile: Hashable, Sendable {
    package var bytes: [UInt8]
    /// Whether every user of the machine may read the file.
    package var isWorldReadable: Bool

    package init(bytes: [UInt8], isWorldReadable: Bool) {
        self.bytes = bytes
        self.isWorldReadable = isWorldReadable
    }
}

/// What stands at a path.
package enum PathKind: Hashable, Sendable {
    case file, folder, other, missing
}

/// Why something outside could not be read.
package enum ConfigurationSourceError: Error, Hashable, Sendable, CustomStringConvertible {
    case notFound
    case notPermitted
    case isNoRegularFile
    /// The content is longer than the limit, in bytes.
    case tooLarge(limit: Int)
    /// The command ran longer than the limit and was killed.
    case timedOut(limit: Duration)
    /// The command ended with a status other than 0.
    case failed(status: Int)
    /// The command was ended by a signal.
    case killed(signal: Int)
    /// Anything else, in the system's words.
    case system(String)

    package var description: String {
        switch self {
        case .notFound: "not found"
        case .notPermitted: "permission denied"
        case .isNoRegularFile: "not a regular file"
        case .tooLarge(let limit): "longer than \(limit) bytes"
        case .timedOut(let limit): "not done after \(DurationText.format(limit))"
        case .failed(let status): "ended with status \(status)"
        case .killed(let signal): "ended by signal \(signal)"
        case .system(let text): text
        }
    }
}
