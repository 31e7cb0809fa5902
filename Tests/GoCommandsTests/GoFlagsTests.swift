import GoCommands
import Testing

/// Flags as Go's flag package reads them.
@Suite struct GoFlagsTests {
    private static let flags = GoFlags(
        command: "program x",
        [
            .init("name", .text("NAME"), "a name"),
            .init("count", .integer("COUNT"), default: "1", "a count"),
            .init("on", .boolean, "on or off"),
        ])

    struct Example: CustomTestStringConvertible, Sendable {
        let arguments: [String]
        var name: String?
        var count: Int?
        var on: Bool?
        var rest: [String] = []
        var testDescription: String { arguments.joined(separator: " ") }
    }

    @Test(arguments: [
        Example(arguments: []),
        Example(arguments: ["-name", "a"], name: "a"), Example(arguments: ["--name", "a"], name: "a"),
        Example(arguments: ["-name=a"], name: "a"), Example(arguments: ["--name=a=b"], name: "a=b"),
        Example(arguments: ["-name="], name: ""), Example(arguments: ["-name", ""], name: ""),
        Example(arguments: ["-name", "-on"], name: "-on"), Example(arguments: ["-name", "--"], name: "--"),
        Example(arguments: ["-name", "a", "-name", "b"], name: "b"),
        Example(arguments: ["-count", "7"], count: 7), Example(arguments: ["-count=-7"], count: -7),
        Example(arguments: ["-count", "-7"], count: -7), Example(arguments: ["-count", "+7"], count: 7),
        Example(arguments: ["-count", "0x1F"], count: 31), Example(arguments: ["-count", "0o17"], count: 15),
        Example(arguments: ["-count", "017"], count: 15), Example(arguments: ["-count", "0b11"], count: 3),
        Example(arguments: ["-count", "0x1_0"], count: 16),
        Example(arguments: ["-count", "-1_000"], count: -1000),
        Example(arguments: ["-count", "-0x10"], count: -16),
        Example(arguments: ["-count", "9223372036854775807"], count: Int.max),
        Example(arguments: ["-count", "-9223372036854775808"], count: Int.min),
        Example(arguments: ["-on"], on: true), Example(arguments: ["--on"], on: true),
        Example(arguments: ["-on=true"], on: true), Example(arguments: ["-on=1"], on: true),
        Example(arguments: ["-on=t"], on: true), Example(arguments: ["-on=T"], on: true),
        Example(arguments: ["-on=TRUE"], on: true), Example(arguments: ["-on=True"], on: true),
        Example(arguments: ["-on=false"], on: false), Example(arguments: ["-on=0"], on: false),
        Example(arguments: ["-on=f"], on: false), Example(arguments: ["-on=F"], on: false),
        Example(arguments: ["-on=FALSE"], on: false), Example(arguments: ["-on=False"], on: false),
        Example(arguments: ["-on", "-on=false"], on: false),
        Example(arguments: ["-on", "false", "-name", "a"], on: true, rest: ["false", "-name", "a"]),
        Example(arguments: ["a", "-on"], rest: ["a", "-on"]), Example(arguments: ["-"], rest: ["-"]),
        Example(arguments: ["-on", "--", "-name", "a"], on: true, rest: ["-name", "a"]),
        Example(arguments: ["--", "-h"], rest: ["-h"]), Example(arguments: [""], rest: [""]),
    ]) func flagsAreReadAsGoDoes(_ example: Example) throws {
        guard case .values(let values) = Self.flags.parse(example.arguments) else {
            Issue.record("\(Self.flags.parse(example.arguments))")
            return
        }
        #expect(values.texts["name"] == example.name)
        #expect(values.integers["count"] == example.count)
        #expect(values.booleans["on"] == example.on)
        #expect(values.rest == example.rest)
        #expect(values.restStart == example.arguments.count - example.rest.count)
    }

    @Test(arguments: [
        ["-h"], ["--h"], ["-help"], ["--help"], ["-on", "-h", "-nonsense"], ["-name", "-h", "-help"],
    ])
    func helpIsHelpWhereverItStands(_ arguments: [String]) {
        #expect(Self.flags.parse(arguments) == .help)
    }

    @Test(arguments: [
        (["-nmae", "x"], "\"-nmae\" is no flag of program x: did you mean -name?"),
        (["-x"], "\"-x\" is no flag of program x"),
        (["-verbose=hunter2"], "\"-verbose\" is no flag of program x"),
        (["-my-long-secret-password"], "\"-my-long-...\" is no flag of program x"),
        (["-name"], "-name needs a value"), (["-on", "-count"], "-count needs a value"),
        (["-count", "x"], "-count takes a whole number"), (["-count="], "-count takes a whole number"),
        (["-count", "1.5"], "-count takes a whole number"),
        (["-count", "08"], "-count takes a whole number"),
        (["-count", "_10"], "-count takes a whole number"),
        (["-count", "0x"], "-count takes a whole number"),
        (["-count", "0x1__0"], "-count takes a whole number"),
        (["-count", "--7"], "-count takes a whole number"),
        (["-count", "0x-1"], "-count takes a whole number"),
        (["-count", "30s"], "-count takes a whole number"),
        (["-count", "9223372036854775808"], "-count takes a whole number"),
        (["-on=yes"], "-on is on or off: write -on or -on=false"),
        (["-on="], "-on is on or off: write -on or -on=false"),
        (["---on"], "an argument starts with dashes but names no flag"),
        (["-=x"], "an argument starts with dashes but names no flag"),
        (["--=x"], "an argument starts with dashes but names no flag"),
    ]) func whatCannotBeTakenIsOneClearFault(_ arguments: [String], _ fault: String) {
        #expect(Self.flags.parse(arguments) == .fault(fault))
    }

    @Test func theUsageTellsEveryFlagWithItsDefault() {
        let usage = Self.flags.usage("Does x.")
        #expect(usage.hasPrefix("Usage: program x [flags]\n\nDoes x.\n\n"))
        #expect(usage.contains("  -count COUNT\n        a count (default 1)\n  -on\n        on or off\n"))
    }

    @Test(arguments: [
        (
            GoCommand.srv,
            "port host base-path pidfile logfile syslog wstimeout httptimeout passwords max-requests-per-tunnel "
                + "max-clients-per-token robowhois log-level log-pretty passwords-file print-config"
        ),
        (
            GoCommand.cli,
            "token tunnel server insecure regexp timeout pidfile logfile statusfile proxy client-ports certfile "
                + "reconnect-delay max-retries log-level log-pretty syslog token-file password-file password-prompt "
                + "print-config"
        ),
    ]) func theCommandsHaveTheFlagsOfTheGoProgramAndAFewMore(_ command: GoCommand, _ names: String) {
        #expect(
            Set(command.flags.declarations.map(\.name)) == Set(names.split(separator: " ").map(String.init)))
        #expect(command.flags.declarations.count == names.split(separator: " ").count)
    }
}
