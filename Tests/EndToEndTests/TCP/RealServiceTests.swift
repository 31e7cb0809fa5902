import Foundation
import TestSupport
import Testing

/// Programs that people run through tunnels: ssh, scp, PostgreSQL.
@Suite(.timeLimit(.minutes(4))) struct RealServiceTests {
    /// Runs a shell's lines, and gives what they print.
    private func shell(_ lines: String, environment: [String: String] = [:]) throws -> String {
        let program = try ChildProcess(
            ["/bin/bash", "-euo", "pipefail", "-c", lines], environment: try programEnvironment(environment))
        guard try program.waitForExit(within: .seconds(120)) == .code(0) else {
            throw TestFailure("\(lines)\n\(program.standardError.text)")
        }
        return program.standardOutput.text
    }

    enum Way: String, CaseIterable, Sendable { case port, proxyCommand }

    @Test(arguments: Way.allCases) func sshAndScpWork(way: Way) throws {
        let service = try SecureShell()
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let tokenFile = try service.folder.write(RawTunnel.token + "\n", to: "token")
        let command =
            "\(try wstunnelPath()) connect --tunnel ws://127.0.0.1:\(tunnel.port) --token-file \(tokenFile)"
        let options =
            service.options
            + (way == .port ? " -o Port=\(tunnel.rawPort)" : " -o 'ProxyCommand=\(command)'")
        let sent = try service.folder.writeRandom(mebibytes: 20, to: "sent")
        let (there, back) = (service.folder.path(of: "there"), service.folder.path(of: "back"))
        #expect(try shell("ssh \(options) 127.0.0.1 'echo $((6 * 7))'") == "42\n")
        _ = try shell(
            "scp -q \(options) \(sent) 127.0.0.1:\(there); scp -q \(options) 127.0.0.1:\(there) \(back)")
        #expect(try sha256(ofFile: there) == sha256(ofFile: sent))
        #expect(try sha256(ofFile: back) == sha256(ofFile: sent))
        #expect(
            try shell("tar -C \(service.folder.path) -c sent | ssh \(options) 127.0.0.1 'tar -t'") == "sent\n"
        )
        _ = client
    }

    @Test func psqlWorks() throws {
        let folder = try TemporaryFolder()
        let port = try freePort()
        let binaries = try shell("ls -d /usr/lib/postgresql/*/bin | tail -1").split(separator: "\n")[0]
        // It does not run as root.
        let user = getuid() == 0 ? "runuser -u postgres --" : ""
        _ = try shell(
            """
            \(user.isEmpty ? ":" : "chown postgres \(folder.path)")
            cd \(folder.path)
            \(user) \(binaries)/initdb -D \(folder.path)/data -A trust -U tester --no-sync > /dev/null
            """)
        let server = try ChildProcess([
            "/bin/bash", "-c",
            "cd \(folder.path); exec \(user) \(binaries)/postgres -D \(folder.path)/data -p \(port) -h 127.0.0.1 -k \(folder.path) -F",
        ])
        try server.standardError.waitForLine(containing: "ready to accept connections", within: .seconds(60))
        defer {
            server.send(signal: SIGINT)
            _ = try? server.waitForExit(within: .seconds(20))
        }
        let tunnel = try RawTunnel(to: port)
        let client = try tunnel.startClient()
        let psql = "psql -XAtq -h 127.0.0.1 -p \(tunnel.rawPort) -U tester postgres"
        let rows = try shell(
            """
            \(psql) -c 'create table t as select n, md5(n::text) as m from generate_series(1, 100000) n'
            \(psql) -c 'copy t to stdout' | md5sum
            \(psql) -c 'create table u (n int, m text)'
            \(psql) -c 'copy t to stdout' | \(psql) -c 'copy u from stdin'
            \(psql) -c 'copy u to stdout' | md5sum
            \(psql) -c 'select count(*) from t join u using (n, m)'
            """
        ).split(separator: "\n")
        #expect(rows.count == 3)
        #expect(rows.first == rows.dropFirst().first)
        #expect(rows.last == "100000")
        _ = client
    }
}
