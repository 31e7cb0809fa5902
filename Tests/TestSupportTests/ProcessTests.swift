import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ChildProcessTests {
    @Test func outputsAndExitCodeAreSeen() throws {
        let child = try ChildProcess(["sh", "-c", "echo one; echo two >&2; printf three; exit 7"])
        #expect(try child.waitForExit() == .code(7))
        #expect(child.exit == .code(7))
        #expect(child.standardOutput.text == "one\nthree")
        #expect(child.standardOutput.lines == ["one"])
        #expect(child.standardError.text == "two\n")
    }

    @Test func aLineIsWaitedForWhileTheProgramRuns() throws {
        // It stops itself and stays as it is: a program that is just being replaced by exec has no memory yet.
        let child = try ChildProcess(["sh", "-c", "echo start; echo ready 42; kill -STOP $$"])
        #expect(try child.standardOutput.waitForLine(containing: "ready") == "ready 42")
        #expect(child.exit == nil)
        #expect(try child.peakResidentBytes() > 100_000)
        child.send(signal: SIGTERM)
        child.send(signal: SIGCONT)
        #expect(try child.waitForExit() == .signal(SIGTERM))
    }

    @Test func aLineThatNeverComesIsAFailureWithTheOutput() throws {
        let child = try ChildProcess(["sh", "-c", "echo something else"])
        let failure = #expect(throws: TestFailure.self) {
            try child.standardOutput.waitForLine(containing: "ready")
        }
        #expect(failure?.description.contains("something else") == true)
        let slow = try ChildProcess(["sleep", "60"])
        #expect(throws: TestFailure.self) {
            try slow.standardOutput.waitForLine(containing: "ready", within: .milliseconds(50))
        }
    }

    @Test func aChildDiesWithItsOwner() throws {
        var child: ChildProcess? = try ChildProcess(["sleep", "60"])
        let output = try #require(child?.standardOutput)
        child = nil
        try output.waitForEnd()
    }

    @Test func aProgramThatDoesNotExistIsAFailure() {
        #expect(throws: TestFailure.self) { try ChildProcess(["/nonexistent/program"]) }
    }

    @Test func aProgramStartsWithTheUsualSignals() throws {
        let child = try ChildProcess(["sh", "-c", "yes | head -n 1; grep SigIgn /proc/self/status"])
        #expect(try child.waitForExit() == .code(0))
        let ignored = try #require(child.standardOutput.text.firstMatch(of: /SigIgn:\t([0-9a-f]+)/)?.1)
        // The C library keeps the signals 32 and 33 for itself.
        #expect(try #require(UInt64(ignored, radix: 16)) & 0x7fff_ffff == 0)
    }
}

@Suite struct SmallToolTests {
    @Test func aSeedGivesTheSameNumbersAgain() {
        var random = SplitMix64(seed: 1_234_567)
        #expect(
            (0..<3).map { _ in random.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
        #expect(random.bytes(5).count == 5)
    }

    @Test func aFolderGoesWithItsOwner() throws {
        var folder: TemporaryFolder? = try TemporaryFolder()
        let path = try #require(try folder?.writeRandom(mebibytes: 2, to: "a/b.bin"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count == 2 << 20)
        #expect(try sha256(ofFile: "/dev/null").hasPrefix("e3b0c44298fc1c149afbf4c8996fb924"))
        folder = nil
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test(arguments: ["a", "a=\"b", "a=b c", "a=\"b\"c", "a=\"\\x\"", "=b", "a=\"\\u12\""])
    func whatIsNotLogfmtIsRefused(line: String) {
        #expect(throws: TestFailure.self) { try LogfmtLine(line) }
    }

    @Test func logfmtIsReadBack() throws {
        let line = try LogfmtLine("a=1 b=\"x \\\"y\\\\ \\u001b\\n\" c= d=\"\"\n")
        #expect(line.fields.map(\.key) == ["a", "b", "c", "d"])
        #expect(line["b"] == "x \"y\\ \u{1b}\n")
        #expect(line["c"] == "")
        #expect(line["e"] == nil)
    }
}
