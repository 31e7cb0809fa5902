import Foundation
import TestSupport
import Testing

/// The unit files of `config`, as systemd reads them.
@Suite(.timeLimit(.minutes(1))) struct ServiceUnitTests {
    private static let config = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("config").path

    private static func text(_ name: String) throws -> String {
        try String(contentsOfFile: config + "/" + name, encoding: .utf8)
    }

    /// A folder with both units, the program replaced by one that is there.
    private static func installed() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let program = try folder.write("#!/bin/sh\n", to: "wstunnel", mode: 0o755)
        let unit = try text("wstunnel.service")
        #expect(unit.contains("\nExecStart=/usr/local/bin/wstunnel --config /etc/wstunnel/tunnels.yaml\n"))
        try folder.write(
            unit.replacingOccurrences(of: "ExecStart=/usr/local/bin/wstunnel", with: "ExecStart=\(program)"),
            to: "wstunnel.service")
        try folder.write(try text("wstunnel.socket"), to: "wstunnel.socket")
        return folder
    }

    private static func version() throws -> Int {
        let child = try ChildProcess(["systemd-analyze", "--version"])
        try child.waitForExit()
        let words = child.standardOutput.text.split(separator: " ")
        guard words.count > 1, let version = Int(words[1]) else {
            throw TestFailure("no version: \(child.standardOutput.text)")
        }
        return version
    }

    @Test func systemdHasNothingToComplainAbout() throws {
        let folder = try Self.installed()
        let child = try ChildProcess([
            "systemd-analyze", "verify", "--man=no", folder.path(of: "wstunnel.service"),
            folder.path(of: "wstunnel.socket"),
        ])
        let exit = try child.waitForExit()
        // Nor about the units of this machine that ours lead to: those are not ours to mend.
        var complaints = child.standardError.text.split(separator: "\n").filter { $0.contains("wstunnel") }
        if try Self.version() < 253 {
            // It reads the line above that one.
            complaints.removeAll { $0.hasSuffix("Failed to parse service type, ignoring: notify-reload") }
        }
        #expect(complaints == [])
        #expect(exit == .code(0))
    }

    @Test func littleIsExposed() throws {
        let folder = try Self.installed()
        let child = try ChildProcess([
            "systemd-analyze", "security", "--offline=true", "--threshold=20",
            folder.path(of: "wstunnel.service"),
        ])
        #expect(try child.waitForExit() == .code(0), "\(child.standardOutput.text.suffix(200))")
    }

    @Test func theServiceSaysWhatTheAgentDoes() throws {
        let lines = Set(try Self.text("wstunnel.service").split(separator: "\n").map(String.init))
        for line in [
            "Type=notify-reload", "WatchdogSec=30s", "RuntimeDirectory=wstunnel", "NoNewPrivileges=yes",
            "ProtectSystem=strict", "RestartPreventExitStatus=78",
        ] { #expect(lines.contains(line), "\(line)") }
        #expect(try Self.text("wstunnel.socket").contains("\nFileDescriptorName=public\n"))
    }
}
