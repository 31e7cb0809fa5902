import HTTPMessage

/// What a file is answered with: conditions (RFC 9110 §13) and ranges (§14) decided, nothing read yet.
struct FileAnswer: Equatable {
    let head: ResponseHead
    /// The bytes of the file to send; empty to `HEAD` and without a body.
    let range: Range<Int>

    /// - Parameters:
    ///   - size: of the file, in bytes.
    ///   - modified: seconds and nanoseconds since 1970.
    init(
        _ request: RequestHead, path: String, size: Int, modified: (seconds: Int, nanoseconds: Int)
    ) {
        let tag =
            "\"\(String(modified.seconds, radix: 16)).\(String(modified.nanoseconds, radix: 16))-\(size)\""
        let date = HTTPDate.format(modified.seconds)
        var fields = HeaderFields()
        fields.append(named: "ETag", tag)
        fields.append(named: "Last-Modified", date)
        fields.append(named: "Accept-Ranges", "bytes")
        guard !Self.isUnchanged(request.fields, tag: tag, modified: modified.seconds) else {
            self.head = ResponseHead(status: 304, fields: fields)
            self.range = 0..<0
            return
        }
        var status = 200
        var range = 0..<size
        let condition = request.fields.first(named: "If-Range")
        if request.method == "GET", condition == nil || condition == tag || condition == date,
            let asked = request.fields.first(named: "Range").flatMap({ ByteRange($0) })
        {
            if let part = asked.resolved(in: size) {
                status = 206
                range = part
                let last = part.upperBound - 1
                fields.append(named: "Content-Range", "bytes \(part.lowerBound)-\(last)/\(size)")
            } else {
                status = 416
                range = 0..<0
                fields.append(named: "Content-Range", "bytes */\(size)")
            }
        }
        if status != 416 { fields.append(.contentType, MediaType.of(path)) }
        fields.append(named: "X-Content-Type-Options", "nosniff")
        fields.append(.contentLength, String(range.count))
        self.head = ResponseHead(status: status, fields: fields)
        self.range = request.method == "HEAD" ? 0..<0 : range
    }

    /// `If-None-Match` decides alone where it is present (RFC 9110 §13.2.2).
    private static func isUnchanged(_ fields: HeaderFields, tag: String, modified: Int) -> Bool {
        if let tags = fields.first(named: "If-None-Match") {
            return tags.split(separator: ",").contains { candidate in
                let candidate = candidate.drop { $0 == " " || $0 == "\t" }
                let bare = candidate.hasPrefix("W/") ? candidate.dropFirst(2) : candidate
                return bare == "*" || bare.prefix { $0 != " " } == tag
            }
        }
        return fields.first(named: "If-Modified-Since").flatMap(HTTPDate.parse).map { modified <= $0 }
            ?? false
    }
}

/// One range of bytes as asked for; several at once, and other units, are not understood (RFC 9110 §14.2
/// lets a server ignore them).
enum ByteRange: Equatable {
    case from(Int)
    case between(Int, Int)
    case last(Int)

    init?(_ value: String) {
        guard value.lowercased().hasPrefix("bytes=") else { return nil }
        let ends = value.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let start = Self.number(ends[0]), let end = Self.number(ends[1]) else {
            return nil
        }
        switch (start, end) {
        case (.some(let start), .some(let end)) where start <= end: self = .between(start, end)
        case (.some(let start), nil): self = .from(start)
        case (nil, .some(let count)): self = .last(count)
        default: return nil
        }
    }

    /// The bytes of a file of this size; nil where there are none: 416.
    func resolved(in size: Int) -> Range<Int>? {
        let range =
            switch self {
            case .from(let start): start..<max(start, size)
            case .between(let start, let end): start..<max(start, min(end, size - 1) + 1)
            case .last(let count): size - min(count, size)..<size
            }
        return range.isEmpty || range.lowerBound >= size ? nil : range
    }

    /// Nil: no number. `.some(nil)`: left out.
    private static func number(_ digits: Substring) -> Int?? {
        if digits.isEmpty { return .some(nil) }
        guard digits.utf8.count <= 18, digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        return Int(digits)
    }
}
