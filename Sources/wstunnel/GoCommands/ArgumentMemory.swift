import Glibc
import GoCommands

/// The memory that the system shows as our command line: `/proc/PID/cmdline`, `ps`.
enum ArgumentMemory {
    /// The arguments behind the program's name, after secrets among them have been overwritten where others can see
    /// them. Between the start of the process and here they could be seen.
    static func takeArguments() -> [String] {
        let arguments = Array(CommandLine.arguments.dropFirst())
        for (index, shown) in SecretArguments.masked(arguments) { overwrite(index + 1, with: shown) }
        return arguments
    }

    /// - Parameter shown: not longer than what stands there; the rest of the room becomes NUL.
    private static func overwrite(_ index: Int, with shown: String) {
        guard index < Int(CommandLine.argc), let argument = CommandLine.unsafeArgv[index] else { return }
        let room = strlen(argument)
        let bytes = Array(shown.utf8.prefix(room))
        memset(argument, 0, room)
        memcpy(argument, bytes, bytes.count)
    }
}
