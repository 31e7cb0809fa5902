/// The head of an HTTP/1.1 request or response, as it stood on the wire.
package struct MessageHead: Sendable, CustomStringConvertible {
    /// The request or status line.
    package let startLine: String
    /// The field lines in their order, names as they were written.
    package let fields: [(name: String, value: String)]

    /// The value of the first field of that name, whatever its case.
    package subscript(name: String) -> String? { values(name).first }

    /// The values of all field lines of that name.
    package func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// True when one of the values, taken as a list of words, holds the word.
    package func has(_ name: String, _ word: String) -> Bool {
        values(name).contains { value in
            value.lowercased().split(separator: ",").contains { $0.trimmed == word.lowercased() }
        }
    }

    /// A request's method.
    package var method: String { part(0) }
    /// A request's target.
    package var target: String { part(1) }
    /// A response's status code; 0 for what is none.
    package var status: Int { Int(part(1)) ?? 0 }

    package var description: String {
        ([startLine] + fields.map { "\($0.name): \($0.value)" }).joined(separator: "\n")
    }

    private func part(_ index: Int) -> String {
        let parts = startLine.split(separator: " ", omittingEmptySubsequences: false)
        return index < parts.count ? String(parts[index]) : ""
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

// MARK: - Reading and writing messages

/// Where a body ends.
package enum BodyFraming: Hashable, Sendable {
    case none
    case length(Int)
    case chunked
    case untilClose
}

extension StreamSocket {
    /// Reads a head, up to and with its empty line.
    package func readHead() throws -> MessageHead {
        MessageHead(startLine: try readLine(), fields: try readFields())
    }

    /// Reads field lines up to and with the empty line; a trailer section too.
    package func readFields() throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while true {
            let line = try readLine()
            if line.isEmpty { return fields }
            guard let colon = line.firstIndex(of: ":") else { throw TestFailure("no field line: \(line)") }
            fields.append((String(line[..<colon]), line[line.index(after: colon)...].trimmed))
        }
    }

    /// Reads a chunk; nil for the last one, whose trailer section is still to be read.
    package func readChunk() throws -> [UInt8]? {
        let line = try readLine()
        guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
            throw TestFailure("no chunk size: \(line)")
        }
        if size == 0 { return nil }
        let bytes = try read(size)
        guard try readLine().isEmpty else { throw TestFailure("a chunk goes on beyond its size") }
        return bytes
    }

    /// Reads a whole body piece by piece, handing each over as it comes, and gives the trailers.
    @discardableResult
    package func readBody(
        _ framing: BodyFraming, _ handle: ([UInt8]) throws -> Void
    ) throws -> [(name: String, value: String)] {
        switch framing {
        case .none: return []
        case .length(var rest):
            while rest > 0 {
                let piece = try readSome(upTo: min(rest, 65_536))
                rest -= piece.count
                try handle(piece)
            }
            return []
        case .chunked:
            while let chunk = try readChunk() { try handle(chunk) }
            return try readFields()
        case .untilClose:
            do {
                while true { try handle(try readSome()) }
            } catch StreamEnd.closed {
                return []
            }
        }
    }

    /// Writes a head: start line, fields, empty line.
    package func writeHead(_ startLine: String, _ fields: [(String, String)] = []) throws {
        let lines = [startLine] + fields.map { "\($0.0): \($0.1)" }
        try write(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }

    /// Writes a chunk; an empty one would end the body, so it is left out.
    package func writeChunk(_ bytes: [UInt8]) throws {
        if bytes.isEmpty { return }
        try write(Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + [13, 10])
    }

    /// Writes the last chunk and the trailers.
    package func writeLastChunk(trailers: [(String, String)] = []) throws {
        try write("0\r\n" + trailers.map { "\($0.0): \($0.1)\r\n" }.joined() + "\r\n")
    }
}
