import Glibc
import GoCommands
import HostSystem

/// The memory that the system shows as our command line: `/proc/PID/cmdline`, `ps`.
///
/// Swift looks for it behind `environ`, and finds nothing when a library that was loaded before has moved that. The kernel
/// knows.
enum ArgumentMemory {
    /// The arguments behind the program's name, after secrets among them have been overwritten where others can see
    /// them. Between the start of the process and here they could be seen.
    static func takeArguments() -> [String] {
        let line = contents(of: "/proc/self/cmdline")
        let words: [String]
        let places: [UnsafeMutablePointer<CChar>]
        if line.isEmpty {
            words = CommandLine.arguments
            places = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0] }
        } else {
            words = line.split(separator: 0, omittingEmptySubsequences: false).dropLast()
                .map { String(decoding: $0, as: UTF8.self) }
            places = self.places(holding: line)
        }
        let arguments = Array(words.dropFirst())
        for (index, shown) in SecretArguments.masked(arguments) where index + 1 < places.count {
            overwrite(places[index + 1], with: shown)
        }
        return arguments
    }

    /// - Parameter shown: not longer than what stands there; the rest of the room becomes NUL.
    private static func overwrite(_ argument: UnsafeMutablePointer<CChar>, with shown: String) {
        let room = strlen(argument)
        let bytes = Array(shown.utf8.prefix(room))
        memset(argument, 0, room)
        memcpy(argument, bytes, bytes.count)
    }

    /// Where the arguments are: from `arg_start` to `arg_end`, fields 48 and 49 of `/proc/self/stat`
    /// (proc_pid_stat(5)).
    ///
    /// - Returns: none when that is another program's, as under valgrind.
    private static func places(holding line: [UInt8]) -> [UnsafeMutablePointer<CChar>] {
        let status = contents(of: "/proc/self/stat")
        // The second field, the name in parentheses, may hold anything.
        guard let end = status.lastIndex(of: UInt8(ascii: ")")) else { return [] }
        let fields = status[(end + 1)...].split { $0 == 0x20 || $0 == 0x0a }
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count > 46, let start = UInt(fields[45]), let end = UInt(fields[46]),
            start < end, end - start == line.count,
            let memory = UnsafeMutablePointer<CChar>(bitPattern: start), memcmp(memory, line, line.count) == 0
        else { return [] }
        var places: [UnsafeMutablePointer<CChar>] = []
        var offset = 0
        while offset < line.count {
            places.append(memory + offset)
            offset += strlen(memory + offset) + 1
        }
        return places
    }

    private static func contents(of path: String) -> [UInt8] {
        guard let file = try? OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC)) else { return [] }
        var bytes: [UInt8] = []
        while let piece = try? file.read() { bytes += piece }
        return bytes
    }
}
