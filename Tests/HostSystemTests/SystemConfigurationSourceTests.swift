import Foundation
import HostSystem
import Testing
import TunnelConfiguration

@Suite(.timeLimit(.minutes(1)))
struct SystemConfigurationSourceTests {
    private let source = SystemConfigurationSource()

    @Test func readsAWholeFileAndItsPermissions() throws {
        try withFolder { folder in
            let path = "\(folder)/secret"
            let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
            try Data(bytes).write(to: URL(filePath: path))
            chmod(path, 0o600)
            #expect(
                try source.readFile(at: path, sizeLimit: 200_000)
                    == ConfigurationFile(bytes: bytes, isWorldReadable: false))
            chmod(path, 0o604)
            #expect(try source.readFile(at: path, sizeLimit: 200_000).isWorldReadable)
            #expect(throws: ConfigurationSourceError.tooLarge(limit: 199_999)) {
                try source.readFile(at: path, sizeLimit: 199_999)
            }
        }
    }

    @Test func refusesWhatIsNoRegularFile() throws {
        try withFolder { folder in
            #expect(throws: ConfigurationSourceError.notFound) {
                try source.readFile(at: "\(folder)/none", sizeLimit: 10)
            }
            #expect(throws: ConfigurationSourceError.isNoRegularFile) {
                try source.readFile(at: folder, sizeLimit: 10)
            }
            mkfifo("\(folder)/pipe", 0o600)
            #expect(throws: ConfigurationSourceError.isNoRegularFile) {
                try source.readFile(at: "\(folder)/pipe", sizeLimit: 10)
            }
            #expect(throws: ConfigurationSourceError.isNoRegularFile) {
                try source.readFile(at: "/dev/zero", sizeLimit: 10)
            }
        }
    }

    @Test func tellsWhatStandsAtAPath() throws {
        try withFolder { folder in
            try Data().write(to: URL(filePath: "\(folder)/file"))
            #expect(source.kind(ofPath: folder) == .folder)
            #expect(source.kind(ofPath: "\(folder)/file") == .file)
            #expect(source.kind(ofPath: "\(folder)/none") == .missing)
            #expect(source.kind(ofPath: "/dev/null") == .other)
        }
    }

    @Test func listsTheNamesInAFolder() throws {
        try withFolder { folder in
            #expect(try source.listFolder(at: folder) == [])
            for name in ["b.yaml", ".hidden", "ä \n"] {
                try Data().write(to: URL(filePath: folder).appending(path: name))
            }
            try FileManager.default.createDirectory(
                atPath: "\(folder)/below", withIntermediateDirectories: false)
            #expect(
                Set(try source.listFolder(at: folder)) == ["b.yaml", ".hidden", "ä \n", "below"])
            #expect(throws: ConfigurationSourceError.notFound) {
                try source.listFolder(at: "\(folder)/none")
            }
            #expect(throws: ConfigurationSourceError.notFound) {
                try source.listFolder(at: "\(folder)/b.yaml")
            }
        }
    }

    @Test func aFileHasOneIdentityUnderAllItsNames() throws {
        try withFolder { folder in
            try Data().write(to: URL(filePath: "\(folder)/file"))
            symlink("file", "\(folder)/link")
            let identity = source.identity(ofFile: "\(folder)/file")
            #expect(source.identity(ofFile: "\(folder)/./link") == identity)
            #expect(source.identity(ofFile: "\(folder)/none") != identity)
            #expect(source.identity(ofFile: "\(folder)/none") == "\(folder)/none")
        }
    }

    @Test func looksUpTheEnvironment() {
        #expect(source.environmentVariable("PATH") == ProcessInfo.processInfo.environment["PATH"])
        #expect(source.environmentVariable("WSTUNNEL_TEST_UNSET_VARIABLE") == nil)
    }

    @Test(arguments: [
        (["printf", "first\nsecond\n"], "first"),
        (["printf", "first"], "first"),
        (["printf", "first\r\nsecond"], "first"),
        (["true"], ""),
        (["/bin/echo", "$HOME", "*", "a b"], "$HOME * a b"),
        (["cat"], ""),
        (["sh", "-c", "exec 1>&-; exit 0"], ""),
        // A child left behind keeps the pipe open; the command itself has ended.
        (["sh", "-c", "echo left; sleep 5 &"], "left"),
    ])
    func givesTheFirstLineOfACommand(_ command: [String], _ line: String) throws {
        let output = try source.firstLine(ofCommand: command, timeLimit: .seconds(4), sizeLimit: 1000)
        #expect(String(decoding: output, as: UTF8.self) == line)
    }

    @Test(arguments: [
        (["false"], ConfigurationSourceError.failed(status: 1)),
        (["sh", "-c", "echo secret; exit 7"], .failed(status: 7)),
        (["sh", "-c", "kill -9 $$"], .killed(signal: 9)),
        (["wstunnel-no-such-program"], .notFound),
        (["/"], .notPermitted),
        (["yes"], .tooLarge(limit: 1000)),
    ])
    func saysWhyACommandFailed(_ command: [String], _ error: ConfigurationSourceError) {
        #expect(throws: error) {
            try source.firstLine(ofCommand: command, timeLimit: .seconds(10), sizeLimit: 1000)
        }
    }

    @Test func killsACommandThatTakesTooLong() throws {
        try withFolder { folder in
            let script = "echo $$ > \(folder)/pid; sleep 300"
            let start = ContinuousClock.now
            #expect(throws: ConfigurationSourceError.timedOut(limit: .milliseconds(300))) {
                try source.firstLine(
                    ofCommand: ["sh", "-c", script], timeLimit: .milliseconds(300), sizeLimit: 10)
            }
            #expect(ContinuousClock.now - start < .seconds(20))
            let pid = try String(contentsOfFile: "\(folder)/pid", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            // Reaped, so the number is nobody's.
            #expect(kill(try #require(pid_t(pid)), 0) == -1)
        }
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wstunnel-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }
}
