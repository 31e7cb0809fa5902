import struct NIOCore.ByteBuffer

/// Reads lines up to and including an empty one: a head (start line and fields) or trailers (fields alone).
///
/// Feed it the same growing bytes until it is done; it goes on where it stopped, so each byte is looked at
/// once however the peer slices them. All offsets count from the first byte fed.
struct FieldBlockReader {
    /// Room that is made at once, so that the list need not grow for most heads.
    private static let usualFieldCount = 16

    private let limits: HTTPLimits
    private let hasStartLine: Bool
    /// Responses may end lines with LF alone (RFC 9112 §2.2 lets us); requests may not: what another server
    /// reads otherwise is a way to smuggle requests.
    private let acceptsBareLF: Bool

    private var lineStart = 0
    private var scanned = 0
    private(set) var startLine: Range<Int>?
    private(set) var entries: [HeaderFields.Entry] = []

    init(limits: HTTPLimits, hasStartLine: Bool, acceptsBareLF: Bool) {
        self.limits = limits
        self.hasStartLine = hasStartLine
        self.acceptsBareLF = acceptsBareLF
    }

    /// - Returns: how many bytes the block takes, or nil while its end has not come.
    mutating func read(_ memory: UnsafeRawBufferPointer) throws(HTTPMessageError) -> Int? {
        while let (newline, isRestPlain) = memory.lineEnd(from: scanned) {
            // Of what was scanned before nobody knows any more.
            let isPlain = isRestPlain && scanned == lineStart
            scanned = newline + 1
            try checkLimits(lineEnd: newline)
            let line = try lineRange(memory, newline: newline)
            lineStart = scanned
            if line.isEmpty {
                // An empty line before the start line is skipped (RFC 9112 §2.2).
                if hasStartLine, startLine == nil { continue }
                return scanned
            }
            try take(line, isPlain: isPlain, of: memory)
        }
        scanned = memory.count
        try checkLimits(lineEnd: scanned)
        return nil
    }

    /// Before a line is looked at, so that the answer does not depend on how its bytes came.
    @inline(__always)
    private func checkLimits(lineEnd: Int) throws(HTTPMessageError) {
        guard scanned <= limits.headBytes else { throw tooLarge() }
        // One byte more than the limit may be the CR of a line that is just short enough.
        if hasStartLine, startLine == nil, lineEnd - lineStart > limits.startLineBytes + 1 {
            throw HTTPMessageError(.targetTooLong, "start line too long")
        }
    }

    private func tooLarge() -> HTTPMessageError {
        if hasStartLine, startLine == nil { return HTTPMessageError(.targetTooLong, "start line too long") }
        return HTTPMessageError(.headTooLarge, "header fields too large")
    }

    @inline(__always)
    private func lineRange(
        _ memory: UnsafeRawBufferPointer, newline: Int
    ) throws(HTTPMessageError) -> Range<Int> {
        if newline > lineStart, memory[newline - 1] == UInt8(ascii: "\r") { return lineStart..<newline - 1 }
        guard acceptsBareLF else { throw HTTPMessageError(.malformed, "line ended by LF without CR") }
        return lineStart..<newline
    }

    /// - Parameter isPlain: it is known to have no control characters.
    @inline(__always)
    private mutating func take(
        _ line: Range<Int>, isPlain: Bool, of memory: UnsafeRawBufferPointer
    ) throws(HTTPMessageError) {
        if hasStartLine, startLine == nil {
            guard line.count <= limits.startLineBytes else {
                throw HTTPMessageError(.targetTooLong, "start line too long")
            }
            startLine = line
            return
        }
        guard entries.count < limits.fieldCount else {
            throw HTTPMessageError(.headTooLarge, "too many header fields")
        }
        if entries.isEmpty { entries.reserveCapacity(Self.usualFieldCount) }
        entries.append(try Self.field(line, isPlain: isPlain, of: memory))
    }

    private static let malformedName = HTTPMessageError(.malformed, "malformed header field name")

    /// `name ":" OWS value OWS` (RFC 9112 §5.1). White space before the colon and folded lines are refused.
    @inline(__always)
    private static func field(
        _ line: Range<Int>, isPlain: Bool, of memory: UnsafeRawBufferPointer
    ) throws(HTTPMessageError) -> HeaderFields.Entry {
        guard let colon = memory.firstByte(UInt8(ascii: ":"), from: line.lowerBound),
            colon < line.upperBound, colon > line.lowerBound
        else { throw malformedName }
        let name = line.lowerBound..<colon
        let fieldName = FieldName(UnsafeRawBufferPointer(rebasing: memory[name]))
        // The names that we know are tokens, in any letter case.
        guard fieldName != .other || memory.isToken(in: name) else { throw malformedName }
        let value = memory.trimmed(colon + 1..<line.upperBound)
        guard isPlain || !memory.hasControlCharacter(in: value) else {
            throw HTTPMessageError(.malformed, "control character in a header field value")
        }
        return HeaderFields.Entry(
            name: fieldName, nameStart: UInt32(name.lowerBound), nameLength: UInt32(name.count),
            valueStart: UInt32(value.lowerBound), valueLength: UInt32(value.count))
    }
}

extension UInt8 {
    /// A byte of a token: letters, digits and ``!#$%&'*+-.^_`|~`` (RFC 9110 §5.6.2), a bit for each.
    var isTokenByte: Bool {
        let bits: UInt64 = self < 64 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
        return self < 128 && bits >> UInt64(self & 63) & 1 == 1
    }
}
