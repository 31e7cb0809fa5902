import ArgumentParser

/// The configuration file of a command: `--config FILE`, or `FILE` alone.
struct ConfigurationFile: ParsableArguments {
    @Option(
        name: [.long, .customShort("c")], help: "The configuration file.",
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Argument(
        help: "The same without --config.", completion: .file(extensions: ["yaml", "yml"]))
    var file: String?

    func validate() throws {
        guard config == nil || file == nil else {
            throw ValidationError("the configuration is named twice: remove what stands beside --config FILE")
        }
        guard config != "", file != "" else { throw ValidationError("an empty path leads nowhere") }
    }

    /// The file, or nil when none is named.
    var path: String? { config ?? file }

    /// What is said when no file is named.
    static let missing = "name the configuration: --config FILE"

    /// The file.
    /// - Throws: when none is named.
    func required() throws -> String {
        guard let path else { throw ValidationError(Self.missing) }
        return path
    }
}
