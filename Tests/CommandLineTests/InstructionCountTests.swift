import Foundation
import TestSupport
import Testing

/// The judgement on instruction counts, by tables made up for it. Nothing is counted.
@Suite struct InstructionCountTests {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Benchmarks/instructions.sh").path

    private func judge(_ accepted: String, _ now: String) throws -> ProgramResult {
        let folder = try TemporaryFolder()
        return try withExtendedLifetime(folder) {
            let tables = [try folder.write(accepted, to: "accepted"), try folder.write(now, to: "now")]
            let script = try ChildProcess(["/bin/bash", Self.script, "--judge"] + tables)
            let exit = try script.waitForExit(within: .seconds(20))
            return ProgramResult(
                exit: exit, output: script.standardOutput.text, errors: script.standardError.text)
        }
    }

    struct Example: CustomTestStringConvertible {
        let name: String
        let accepted: String
        let now: String
        let isGood: Bool
        let says: String
        var testDescription: String { name }
    }

    @Test(arguments: [
        Example(
            name: "the same", accepted: "a\t1000\t2.0\n", now: "a\t1000\t2.0\n", isGood: true, says: "+0.0 %"),
        Example(
            name: "9 % more", accepted: "a\t1000\t2.0\n", now: "a\t1090\t2.0\n", isGood: true, says: "+9.0 %"),
        Example(
            name: "11 % more", accepted: "a\t1000\t2.0\n", now: "a\t1110\t2.0\n", isGood: false, says: "GREW"),
        Example(
            name: "11 % less", accepted: "a\t1000\t2.0\n", now: "a\t890\t2.0\n", isGood: true,
            says: "a is better than what is accepted; to hold it there:"),
        Example(
            name: "an allocation more", accepted: "a\t1000\t2.0\n", now: "a\t1000\t3.0\n", isGood: false,
            says: "ALLOCATES MORE"),
        Example(
            name: "both", accepted: "a\t1000\t2.0\n", now: "a\t1200\t4.0\n", isGood: false,
            says: "GREW, ALLOCATES MORE"),
        Example(
            name: "a fraction of one more", accepted: "a\t1000\t2.0\n", now: "a\t1000\t2.5\n", isGood: true,
            says: "2.0 -> 2.5"),
        Example(
            name: "one of thousands more", accepted: "a\t1000\t7000.0\n", now: "a\t1000\t7001.0\n",
            isGood: true,
            says: "7000.0 -> 7001.0"),
        Example(
            name: "many of thousands more", accepted: "a\t1000\t7000.0\n", now: "a\t1000\t7100.0\n",
            isGood: false, says: "ALLOCATES MORE"),
        Example(
            name: "one missing", accepted: "a\t1000\t2.0\nb\t5\t0.0\n", now: "a\t1000\t2.0\n", isGood: false,
            says: "MISSING"),
        Example(
            name: "one that is new", accepted: "# words\na\t1000\t2.0\n", now: "a\t1000\t2.0\nb\t5\t0.0\n",
            isGood: true, says: "instructions.sh --accept b"),
        Example(
            name: "all new", accepted: "# words\n", now: "b\t5\t0.0\n", isGood: true,
            says: "instructions.sh --accept b"),
        Example(
            name: "nothing counted", accepted: "a\t1000\t2.0\n", now: "", isGood: false, says: "MISSING"),
    ])
    func growthFailsAndTheRestIsTold(example: Example) throws {
        let result = try judge(example.accepted, example.now)
        #expect(result.exit == .code(example.isGood ? 0 : 1), "\(result)")
        #expect(result.output.contains(example.says), "\(result.output)")
        #expect(result.errors.isEmpty)
    }

    @Test func whoFailsIsToldHowToAcceptIt() throws {
        let result = try judge("a\t1000\t2.0\nb\t1000\t2.0\n", "a\t1200\t2.0\nb\t1000\t2.0\n")
        #expect(
            result.output.contains(
                "a is worse than what is accepted; if that is meant: Tests/Benchmarks/instructions.sh --accept a\n"
            ))
        #expect(!result.output.contains("--accept b"))
    }

    @Test func aBrokenTableIsNoVerdict() throws {
        let result = try judge("a\t1000\n", "a\t1000\t2.0\n")
        #expect(result.exit == .code(2))
        #expect(result.errors.contains("accepted:1: this is no row"))
    }
}
