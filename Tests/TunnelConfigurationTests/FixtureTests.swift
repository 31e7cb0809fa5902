import Foundation
import Testing
import TunnelConfiguration

/// Every `NAME.bad.yaml` gives exactly the report in `NAME.bad.expected`, every `NAME.good.yaml` has no error, and
/// the report in `NAME.good.expected` where there is one.
///
/// What lies in `included` is there for all of them, under that name.
///
/// `WSTUNNEL_RECORD_FIXTURES=1` writes the reports anew and fails: read the difference before you commit it.
@Suite struct FixtureTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    static let isRecording = ProcessInfo.processInfo.environment["WSTUNNEL_RECORD_FIXTURES"] == "1"

    static func names(ending suffix: String) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(suffix) }.sorted()
    }

    @Test func thereAreManyKindsOfBrokenFiles() {
        #expect(Self.names(ending: ".bad.yaml").count >= 90)
        #expect(
            Self.names(ending: ".bad.expected").count == Self.names(ending: ".bad.yaml").count,
            "an expectation without its file, or a file without its expectation")
    }

    @Test(arguments: names(ending: ".bad.yaml"))
    func aBrokenFileGetsItsReport(_ name: String) throws {
        let report = try Self.report(on: name)
        #expect(report.configuration == nil)
        #expect(report.errorCount > 0)
        try Self.compare(report, name)
    }

    @Test(arguments: names(ending: ".good.yaml"))
    func aGoodFileHasNoError(_ name: String) throws {
        let report = try Self.report(on: name)
        #expect(report.configuration != nil)
        #expect(report.isValid)
        if report.warningCount > 0 { try Self.compare(report, name) }
    }

    /// The secrets that the fixtures and their machine hold.
    @Test(arguments: names(ending: ".yaml"))
    func noReportHoldsASecret(_ name: String) throws {
        let report = try Self.report(on: name)
        let text =
            ProblemRendering.text(of: report, hasExcerpts: true, hasColour: true)
            + ProblemRendering.json(of: report)
        for secret in [
            "hunter2", "my-secret", "secret-token", "web-token-from", "web-password", "new-password",
            "tunnel-token-0", "token-from-a", "all-can-read", "of-file",
        ] {
            #expect(!text.contains(secret), "\(secret)")
        }
    }

    static func machine() throws -> PretendMachine {
        let machine = PretendMachine.forFixtures()
        let included = folder.appending(path: "included")
        for name in try FileManager.default.subpathsOfDirectory(atPath: included.path) {
            guard let bytes = try? Data(contentsOf: included.appending(path: name)) else { continue }
            machine.entries["conf/included/\(name)"] = .file(Array(bytes), isWorldReadable: false)
        }
        return machine
    }

    private static func report(on name: String) throws -> ConfigurationReport {
        let machine = try machine()
        let bytes = try Data(contentsOf: folder.appending(path: name))
        machine.entries["conf/\(name)"] = .file(
            Array(bytes), isWorldReadable: name.hasPrefix("warnings"))
        return loadConfiguration(at: "conf/\(name)", from: machine)
    }

    private static func compare(_ report: ConfigurationReport, _ name: String) throws {
        let file = folder.appending(path: name.replacing(".yaml", with: ".expected"))
        let text = ProblemRendering.text(of: report, hasExcerpts: true)
        if isRecording {
            try text.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("recorded \(file.lastPathComponent)")
        }
        #expect(try text == String(contentsOf: file, encoding: .utf8))
    }
}
