import Foundation
import Synchronization

/// A new, empty folder, removed with all it holds when the value goes.
package final class TemporaryFolder: Sendable {
    /// Its absolute path, without a slash at the end.
    package let path: String

    package init() throws {
        var template = Array("/tmp/wstunnel-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of an entry, whether it exists or not.
    package func path(of name: String) -> String { path + "/" + name }

    /// Writes a file, with the folders above it, and gives its path.
    @discardableResult
    package func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        try write(Array(text.utf8), to: name, mode: mode)
    }

    @discardableResult
    package func write(_ bytes: [UInt8], to name: String, mode: Int = 0o600) throws -> String {
        let target = path(of: name)
        let parent = URL(fileURLWithPath: target).deletingLastPathComponent().path
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        // A child that starts meanwhile would hold the file open for a moment, and a file that is open for
        // writing cannot be run.
        let isWritten = descriptorLock.withLock { _ in
            FileManager.default.createFile(
                atPath: target, contents: Data(bytes), attributes: [.posixPermissions: mode])
        }
        guard isWritten else { throw TestFailure("cannot write \(target)") }
        return target
    }

    /// The file's text.
    package func text(of name: String) throws -> String {
        try String(contentsOfFile: path(of: name), encoding: .utf8)
    }

    /// Writes a file of pseudo-random bytes that differ from one MiB to the next, and gives its path.
    @discardableResult
    package func writeRandom(mebibytes: Int, to name: String, seed: UInt64 = 1) throws -> String {
        let target = try write([UInt8](), to: name, mode: 0o644)
        guard let file = FileHandle(forWritingAtPath: target) else {
            throw TestFailure("cannot write \(target)")
        }
        defer { try? file.close() }
        var random = SplitMix64(seed: seed)
        var words = (0..<(1 << 17)).map { _ in random.next() }
        for _ in 0..<mebibytes {
            for index in stride(from: 0, to: words.count, by: 512) { words[index] = random.next() }
            try words.withUnsafeBytes { try file.write(contentsOf: Data($0)) }
        }
        return target
    }
}

/// The SHA-256 of a file as 64 hexadecimal digits.
package func sha256(ofFile path: String) throws -> String {
    let child = try ChildProcess(["sha256sum", "--", path])
    guard try child.waitForExit() == .code(0) else {
        throw TestFailure("sha256sum: \(child.standardError.text)")
    }
    return String(child.standardOutput.text.prefix(64))
}
