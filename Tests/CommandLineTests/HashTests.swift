import Foundation
import TestSupport
import Testing

/// `wstunnel hash`
@Suite(.timeLimit(.minutes(1))) struct HashTests {
    private static func hash(of input: String, _ arguments: [String]) throws -> ProgramResult {
        let pipe = #"input=$1; program=$2; shift 2; printf '%b' "$input" | "$program" hash "$@""#
        let program = try ChildProcess(["sh", "-c", pipe, "sh", input, wstunnelPath()] + arguments)
        let exit = try program.waitForExit(within: .seconds(20))
        return ProgramResult(
            exit: exit, output: program.standardOutput.text, errors: program.standardError.text)
    }

    @Test(arguments: ["argon2id", "bcrypt", "sha512"])
    func theConfigurationTakesWhatItPrints(_ method: String) throws {
        let result = try Self.hash(of: "open sesame\\nmore\\n", ["alice", "--method", method])
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(result.output.hasPrefix("alice:$"))
        #expect(result.output.split(separator: "\n").count == 1)
        #expect(!result.output.contains("sesame"))
        let folder = try TemporaryFolder()
        try folder.write(result.output, to: "users.txt", mode: 0o600)
        let path = try folder.write(
            "servers: [{ name: a, port: 0, callers: { users-file: users.txt } }]\n", to: "tunnels.yaml")
        let check = try runProgram("check", "--config", path)
        #expect(check.exit == .code(0), "\(check.errors)")
        let shown = try runProgram("show", "--config", path)
        #expect(shown.output.contains("users: [\"***\"]"))
        #expect(!shown.output.contains("alice"))
    }

    @Test func mistakesAreTold() throws {
        for (input, arguments, words) in [
            ("", ["alice"], "standard input holds no password"),
            ("\\n", ["alice"], "a password has 1 to 256 bytes"),
            (String(repeating: "p", count: 73), ["--method", "bcrypt"], "bcrypt looks at no more than 72"),
            ("p", ["--method", "md5"], "md5"),
            ("p", ["al:ice"], "no colon"),
        ] {
            let result = try Self.hash(of: input, arguments)
            #expect(result.exit == .code(64))
            #expect(result.errors.contains(words), "\(result.errors)")
        }
    }

    /// On a pseudo terminal, which python3 makes.
    @Test func onATerminalNothingOfItShows() throws {
        let script = """
            import fcntl, os, pty, select, sys, termios
            master, slave = pty.openpty()
            child = os.fork()
            if child == 0:
                os.setsid()
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
                for descriptor in (0, 1, 2): os.dup2(slave, descriptor)
                os.execv(sys.argv[1], [sys.argv[1], "hash", "alice"])
            seen = b""
            def wait(words):
                global seen
                while words not in seen:
                    if not select.select([master], [], [], 20)[0]: sys.exit("nothing like " + repr(words))
                    seen += os.read(master, 4096)
            for question in (b"Password: ", b"Once more: "):
                wait(question)
                os.write(master, b"typed-password\\n")
            wait(b"alice:$argon2id$")
            print(os.waitpid(child, 0)[1], b"typed" in seen)
            """
        let program = try ChildProcess(["python3", "-c", script, wstunnelPath()])
        #expect(try program.waitForExit(within: .seconds(40)) == .code(0), "\(program.standardError.text)")
        #expect(program.standardOutput.text == "0 False\n")
    }
}
