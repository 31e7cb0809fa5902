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
            unit.replacingOccurrences(of: "=/usr/local/bin/wstunnel", with: "=\(program)"),
            to: "wstunnel.service")
        try folder.write(try text("wstunnel.socket"), to: "wstunnel.socket")
        return folder
    }

    /// Any systemd from Debian 12's (252) on.
    @Test func systemdHasNothingToComplainAbout() throws {
        let folder = try Self.installed()
        let child = try ChildProcess([
            "systemd-analyze", "verify", "--man=no", folder.path(of: "wstunnel.service"),
            folder.path(of: "wstunnel.socket"),
        ])
        let exit = try child.waitForExit()
        // Nor about the units of this machine that ours lead to: those are not ours to mend.
        let complaints = child.standardError.text.split(separator: "\n").filter { $0.contains("wstunnel") }
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
            "Type=notify",
            "ExecReload=/usr/local/bin/wstunnel reload --config /etc/wstunnel/tunnels.yaml",
            "WatchdogSec=30s", "RuntimeDirectory=wstunnel", "NoNewPrivileges=yes",
            "ProtectSystem=strict", "RestartPreventExitStatus=78",
        ] { #expect(lines.contains(line), "\(line)") }
        #expect(try Self.text("wstunnel.socket").contains("\nFileDescriptorName=public\n"))
    }
}
