import Foundation
import Testing

/// A page that tells of a protocol beside its code: what of it can be compared with the code.
struct ProtocolPage {
    private let lines: [Substring]

    /// - Parameter name: of a file in `Sources/TunnelProtocol`.
    init(_ name: String) throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Sources/TunnelProtocol/\(name)")
        lines = try String(contentsOf: file, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The lines of the fenced blocks that are opened by a kind and a name, by that name.
    func blocks(_ kind: String) -> [String: [Substring]] {
        var blocks: [String: [Substring]] = [:]
        var open: String?
        for line in lines {
            if line.starts(with: "```") {
                let words = line.dropFirst(3).split(separator: " ")
                open = words.count == 2 && words[0] == kind ? String(words[1]) : nil
                if let open {
                    #expect(blocks[open] == nil, "there are two examples \(open)")
                    blocks[open] = []
                }
            } else if let open {
                blocks[open]?.append(line)
            }
        }
        return blocks
    }

    /// The bytes of the examples. A line is groups of hexadecimal digits, and behind two blanks or more what they mean.
    func bytes() throws -> [String: [UInt8]] {
        try blocks("hex").mapValues { lines in
            try lines.flatMap { line in
                let digits = try #require(
                    line.wholeMatch(of: /((?:[0-9a-f]{2})+(?: (?:[0-9a-f]{2})+)*)(?:  +\S.*)?/), "\(line)"
                ).1.filter { $0 != " " }
                return try stride(from: 0, to: digits.count, by: 2).map { offset in
                    try #require(UInt8(digits.dropFirst(offset).prefix(2), radix: 16))
                }
            }
        }
    }

    /// The rows of the table whose head begins with these cells.
    func table(_ head: String...) throws -> [[String]] {
        let start = try #require(
            lines.firstIndex { Array(Self.cells($0).prefix(head.count)) == head }, "no table \(head)")
        return lines[start...].dropFirst(2).prefix { $0.starts(with: "|") }.map(Self.cells)
    }

    private static func cells(_ line: Substring) -> [String] {
        guard line.starts(with: "|") else { return [] }
        return line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// A number with commas between thousands.
    static func number(_ text: String) throws -> Int {
        try #require(Int(text.filter { $0 != "," }), "\(text)")
    }
}
