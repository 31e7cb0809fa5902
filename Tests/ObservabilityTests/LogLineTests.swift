import Foundation
import Logging
import TestSupport
import Testing

@testable import Observability

@Suite struct LogTimestampTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let milliseconds: Int64
        let text: String
        var testDescription: String { text }
    }

    @Test(arguments: [
        Example(milliseconds: 0, text: "1970-01-01T00:00:00.000Z"),
        Example(milliseconds: 951_782_399_999, text: "2000-02-28T23:59:59.999Z"),
        Example(milliseconds: 951_782_400_000, text: "2000-02-29T00:00:00.000Z"),
        Example(milliseconds: 951_868_800_000, text: "2000-03-01T00:00:00.000Z"),
        Example(milliseconds: 1_735_689_599_001, text: "2024-12-31T23:59:59.001Z"),
        Example(milliseconds: 4_107_542_400_000, text: "2100-03-01T00:00:00.000Z"),
        Example(milliseconds: -1, text: "1969-12-31T23:59:59.999Z"),
        Example(milliseconds: .max, text: "9999-12-31T23:59:59.999Z"),
        Example(milliseconds: .min, text: "0000-01-01T00:00:00.000Z"),
    ])
    func momentsReadAsRFC3339(example: Example) {
        #expect(Self.text(example.milliseconds) == example.text)
    }

    @Test func everyDayOfTwoCenturiesAgreesWithTheCalendar() throws {
        let formatter = ISO8601DateFormatter()
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        for day in stride(from: Int64(-36_525), to: 36_525, by: 1) {
            let milliseconds = day * 86_400_000 + 45_296_789
            let expected = formatter.string(from: Date(timeIntervalSince1970: Double(milliseconds) / 1000))
            try #require(Self.text(milliseconds) == expected)
        }
    }

    @Test func theSecondThatWasWrittenLastIsNotTakenForAnother() {
        var bytes = LineBytes()
        for milliseconds in [1_769_860_800_123, 1_769_860_800_999, 1_769_860_801_000, 1_769_860_800_001, -1]
            as [Int64]
        {
            LogTimestamp(millisecondsSince1970: milliseconds).append(to: &bytes)
            bytes.withBytes { #expect(String(decoding: $0, as: UTF8.self) == Self.text(milliseconds)) }
            bytes.removeAll()
        }
    }

    private static func text(_ milliseconds: Int64) -> String {
        var bytes = LineBytes()
        LogTimestamp(millisecondsSince1970: milliseconds).append(to: &bytes)
        return String(decoding: bytes.array(), as: UTF8.self)
    }
}

@Suite struct LogLineTests {
    private static let moment = LogTimestamp(millisecondsSince1970: 1_769_860_800_123)

    private static func line(
        _ format: LogFormat, level: Logger.Level = .info, message: String = "Listening",
        _ fields: [(String, Logger.MetadataValue)] = []
    ) -> String {
        var line = LogLine(format: format, at: moment, level: level, logger: "agent", message: message)
        for (name, value) in fields { line.add(metadata: name, value) }
        return String(decoding: line.end().array(), as: UTF8.self)
    }

    private static let fields: [(String, Logger.MetadataValue)] = [
        ("server.name", "public"), ("listener.address", "127.0.0.1:8080"), ("error.message", "a = \"b\""),
        ("port", .stringConvertible(8080)), ("duration.ms", .milliseconds(.microseconds(1_234_567))),
        ("empty", ""), ("list", ["a", "b"]), ("flag", .stringConvertible(true)),
    ]

    @Test func textIsForPeople() {
        #expect(
            Self.line(.text, level: .warning, Self.fields)
                == #"""
                2026-01-31T12:00:00.123Z WARN  agent: Listening server.name=public \#
                listener.address=127.0.0.1:8080 error.message="a = \"b\"" port=8080 duration.ms=1234.567 \#
                empty="" list="[\"a\", \"b\"]" flag=true

                """#)
    }

    @Test func logfmtAlwaysQuotesItsMessage() {
        #expect(
            Self.line(.logfmt, Self.fields)
                == #"""
                time=2026-01-31T12:00:00.123Z level=info logger=agent message="Listening" server.name=public \#
                listener.address=127.0.0.1:8080 error.message="a = \"b\"" port=8080 duration.ms=1234.567 \#
                empty="" list="[\"a\", \"b\"]" flag=true

                """#)
    }

    @Test func jsonKeepsNumbersAsNumbers() {
        #expect(
            Self.line(.json, Self.fields)
                == #"""
                {"time":"2026-01-31T12:00:00.123Z","level":"info","logger":"agent","message":"Listening",\#
                "server.name":"public","listener.address":"127.0.0.1:8080","error.message":"a = \"b\"",\#
                "port":8080,"duration.ms":1234.567,"empty":"","list":"[\"a\", \"b\"]","flag":true}

                """#)
    }

    /// Texts that try to end the line, to add a field, or to do something to the reader's terminal.
    static let hostileTexts = [
        "x\ntime=2026-01-31T12:00:00.123Z level=error message=\"forged\"",
        "x\r\nforged", "x\u{2028}forged", "x\u{2029}forged", "x\u{85}forged", "x\u{0b}forged\u{0c}",
        "x\" forged=\"yes", "x forged=yes", "x\\", "x\\\" forged=\"yes",
        "\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}",
        "\u{9b}2J", "\u{202e}txt.exe", "\u{2066}x\u{2069}", "\u{0}", "\u{7f}", "\",\"forged\":\"yes",
        "é ü 漢 🚇",
        String(decoding: [0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80], as: UTF8.self),
    ]

    @Test(arguments: LogFormat.allCases, hostileTexts)
    func noTextCanForgeALine(format: LogFormat, text: String) throws {
        let line = Self.line(format, message: text, [(text, .string(text)), ("last", "end")])
        #expect(line.filter(\.isNewline) == "\n")
        #expect(line.last == "\n")
        for scalar in line.unicodeScalars.dropLast() {
            #expect(scalar.properties.generalCategory != .control)
            #expect(scalar.properties.generalCategory != .format)
        }
        switch format {
        case .json:
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
            #expect(
                object == [
                    "time": "2026-01-31T12:00:00.123Z", "level": "info", "logger": "agent",
                    "message": text, text: text, "last": "end",
                ])
        case .logfmt:
            let pairs = try LogfmtLine(line).fields
            #expect(pairs.map(\.key).prefix(4) == ["time", "level", "logger", "message"])
            #expect(pairs.count == 6)
            #expect(pairs[3].value == text)
            #expect(pairs[4].value == text)
            #expect(pairs[5].value == "end")
        case .text:
            #expect(line.hasSuffix(" last=end\n"))
        }
    }

    @Test(arguments: LogFormat.allCases)
    func aFieldCannotTakeTheHeadersPlace(format: LogFormat) {
        let line = Self.line(format, [("message", "other"), ("level", "error")])
        #expect(
            line.contains(
                format == .json ? #""message_":"other","level_":"error""# : "message_=other level_=error"))
    }

    @Test(arguments: LogFormat.allCases)
    func longValuesAreCutBetweenCharacters(format: LogFormat) {
        let line = Self.line(format, [("long", .string(String(repeating: "漢", count: 5000)))])
        #expect(line.utf8.count < 4096 + 200)
        #expect(line.contains("漢..."))
        #expect(!line.contains("\u{fffd}"))
    }

    @Test func notANumberStaysValidJSON() throws {
        let line = Self.line(
            .json, [("nan", .stringConvertible(Double.nan)), ("inf", .stringConvertible(Double.infinity))])
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }

    @Test func durationsBelowNothingAndBeyondAllBoundsDoNotTrap() {
        #expect(Milliseconds(.seconds(-5)).description == "0.000")
        #expect(Milliseconds(.microseconds(-1)).description == "0.000")
        #expect(Milliseconds(.seconds(Int64.max)).description == "1000000000000000.000")
        #expect(Milliseconds(.nanoseconds(1_999)).description == "0.001")
    }

    @Test func aTerminalGetsTextAndAFileLogfmt() {
        #expect(LogFormat.automatic(isTerminal: true) == .text)
        #expect(LogFormat.automatic(isTerminal: false) == .logfmt)
    }
}
