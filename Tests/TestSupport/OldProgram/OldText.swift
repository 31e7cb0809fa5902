/// HTTP/1 text inside messages of protocol v1, read strictly: what is not as it should be is written down.
enum OldText {
    /// The head at the start of some bytes, and where it ends; nil when its empty line is not there.
    static func head(in bytes: [UInt8], _ violations: OldViolations) -> (head: MessageHead, end: Int)? {
        guard let end = endOfHead(bytes) else { return nil }
        var lines = String(decoding: bytes[..<(end - 4)], as: UTF8.self)
            .split(separator: "\r\n", omittingEmptySubsequences: false)
        let startLine = String(lines.removeFirst())
        violations.expect(!startLine.contains { $0 == "\n" || $0 == "\r" }, "a bare line end in \(startLine)")
        var fields: [(name: String, value: String)] = []
        for line in lines {
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                violations.add("no field line: \(line)")
                continue
            }
            let name = String(line[..<colon])
            violations.expect(isFieldName(name), "a field's name is \"\(name)\"")
            violations.expect(!line.contains { $0 == "\n" || $0 == "\r" }, "a bare line end in \(name)")
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields.append((name, String(value.reversed().drop { $0 == " " || $0 == "\t" }.reversed())))
        }
        return (MessageHead(startLine: startLine, fields: fields), end)
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        var start = bytes.startIndex
        while let newline = bytes[start...].firstIndex(of: 10) {
            if newline >= 3, bytes[newline - 3] == 13, bytes[newline - 2] == 10, bytes[newline - 1] == 13 {
                return newline + 1
            }
            start = newline + 1
        }
        return nil
    }

    /// Whether a text is a token of RFC 9110 §5.6.2.
    private static func isFieldName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    /// Where a message's body ends, from its own fields; `untilClose` is the end of the message.
    static func framing(of head: MessageHead, _ violations: OldViolations, whenSilent: BodyFraming)
        -> BodyFraming
    {
        let lengths = head.values("Content-Length")
        let codings = head.values("Transfer-Encoding")
        violations.expect(lengths.count <= 1, "Content-Length stands there \(lengths.count) times")
        violations.expect(lengths.isEmpty || codings.isEmpty, "Content-Length beside Transfer-Encoding")
        if !codings.isEmpty {
            violations.expect(codings.map { $0.lowercased() } == ["chunked"], "Transfer-Encoding: \(codings)")
            return .chunked
        }
        guard let length = lengths.first else { return whenSilent }
        guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(length)
        else {
            violations.add("Content-Length: \(length)")
            return .none
        }
        return count == 0 ? .none : .length(count)
    }

    static func expectNoHopByHop(in head: MessageHead, _ violations: OldViolations) {
        for field in head.fields where OldFacts.hopByHop.contains(field.name.lowercased()) {
            violations.add("the field of one hop \(field.name): \(field.value) in \(head.startLine)")
        }
    }
}

/// A body of a message, taken off piece by piece as it comes.
struct OldBody {
    private enum State {
        case data(Int)
        case toTheEnd
        case chunkSize([UInt8])
        case chunk(Int)
        case chunkEnd([UInt8])
        case trailer([UInt8])
        case over
    }
    private var state: State
    private let violations: OldViolations
    private let what: String

    init(_ framing: BodyFraming, of what: String, _ violations: OldViolations) {
        state =
            switch framing {
            case .none: .over
            case .length(let count): .data(count)
            case .chunked: .chunkSize([])
            case .untilClose: .toTheEnd
            }
        self.violations = violations
        self.what = what
    }

    /// Takes more of the message and gives what of it is content.
    mutating func take(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var content: [UInt8] = []
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            switch state {
            case .toTheEnd:
                content += rest
                rest = []
            case .data(let missing):
                content += rest.prefix(missing)
                state = rest.count >= missing ? .over : .data(missing - rest.count)
                rest = rest.dropFirst(missing)
            case .chunk(let missing):
                content += rest.prefix(missing)
                state = rest.count >= missing ? .chunkEnd([]) : .chunk(missing - rest.count)
                rest = rest.dropFirst(missing)
            case .chunkSize(let line):
                takeLine(line, &rest) {
                    .chunkSize($0)
                } whole: {
                    Self.afterSize($0)
                }
            case .chunkEnd(let line):
                takeLine(line, &rest) {
                    .chunkEnd($0)
                } whole: {
                    $0.isEmpty ? .chunkSize([]) : nil
                }
            case .trailer(let line):
                takeLine(line, &rest) {
                    .trailer($0)
                } whole: {
                    $0.isEmpty ? .over : nil
                }
            case .over:
                violations.add("\(rest.count) bytes beyond the end of \(what)")
                rest = []
            }
        }
        return content
    }

    /// Whether the body would be whole if the message ended here.
    var isWhole: Bool {
        switch state {
        case .over, .toTheEnd: true
        default: false
        }
    }

    private mutating func takeLine(
        _ line: [UInt8], _ rest: inout ArraySlice<UInt8>, part: ([UInt8]) -> State,
        whole: (ArraySlice<UInt8>) -> State?
    ) {
        guard let newline = rest.firstIndex(of: 10) else {
            state = part(line + rest)
            rest = []
            return
        }
        let all = line + rest[..<newline]
        rest = rest[(newline + 1)...]
        if all.last == 13, let next = whole(all.dropLast()) {
            state = next
        } else {
            violations.add("chunked wrongly, in \(what): \(String(decoding: all.prefix(40), as: UTF8.self))")
            state = .toTheEnd
        }
    }

    private static func afterSize(_ line: ArraySlice<UInt8>) -> State? {
        guard (1...8).contains(line.count), let size = Int(String(decoding: line, as: UTF8.self), radix: 16)
        else { return nil }
        return size == 0 ? .trailer([]) : .chunk(size)
    }
}
