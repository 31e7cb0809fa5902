import AgentStatus
import Foundation
import Testing

/// The words by which failures are counted.
@Suite struct ErrorCodeTests {
    @Test(arguments: ErrorCode.allCases) func everyWordIsSpeltAlike(_ code: ErrorCode) {
        let words = "\(code)".reduce(into: "") { text, letter in
            text += letter.isUppercase ? "-\(letter.lowercased())" : String(letter)
        }
        #expect(code.rawValue == words)
    }

    @Test func thePageOfTheLogNamesNoOthers() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("config/LOGS.md")
        let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
            .drop { $0 != "| message | `error.code` |" }.dropFirst(2).prefix { $0.hasPrefix("|") }
        #expect(rows.count == 10)
        for row in rows {
            let cells = row.split(separator: "|")
            for word in cells[1].matches(of: /`([^`]+)`/) {
                #expect(ErrorCode(rawValue: String(word.1)) != nil, "\(word.1)")
            }
        }
    }
}
