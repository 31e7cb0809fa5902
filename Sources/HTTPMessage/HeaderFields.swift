package import struct NIOCore.ByteBuffer

/// Header or trailer fields in the order, spelling and bytes in which they came.
///
/// Fields of a parsed head share the memory in which the head arrived; nothing is copied until a field is
/// appended. Values are bytes, not text: what is not UTF-8 (Latin-1 file names, say) passes unchanged.
package struct HeaderFields: Sendable {
    /// Where one field lies in `bytes`, counted from its reader index.
    struct Entry: Sendable {
        var name: FieldName
        var nameStart: UInt32
        var nameLength: UInt32
        var valueStart: UInt32
        var valueLength: UInt32
    }

    var bytes: ByteBuffer
    private(set) var entries: [Entry]
    /// The names that occur: most questions are about fields that are not there.
    private var names = FieldNameSet()
    /// Those that occur more than once.
    private(set) var repeated = FieldNameSet()

    /// No fields.
    package init() {
        self.bytes = ByteBuffer()
        self.entries = []
    }

    /// Fields by name and value, for heads that we make ourselves.
    package init(_ fields: KeyValuePairs<FieldName, String>) {
        self.init()
        for (name, value) in fields { append(name, value) }
    }

    init(bytes: ByteBuffer, entries: [Entry]) {
        self.bytes = bytes
        self.entries = entries
        for entry in entries { note(entry.name) }
    }

    private mutating func note(_ name: FieldName) {
        if names.contains(name) { repeated.insert(name) } else { names.insert(name) }
    }

    /// How many fields there are; a repeated name counts each time.
    package var count: Int { entries.count }

    /// Whether there is no field at all.
    package var isEmpty: Bool { entries.isEmpty }

    /// Whether a field of this name is present.
    package func contains(_ name: FieldName) -> Bool { names.contains(name) }

    /// Whether a field of one of these names is present.
    package func containsAny(of others: FieldNameSet) -> Bool { !names.isDisjoint(with: others) }

    /// How many fields bear this name.
    package func count(of name: FieldName) -> Int {
        guard repeated.contains(name) else { return names.contains(name) ? 1 : 0 }
        return entries.count { $0.name == name }
    }

    /// The first field of this name.
    func first(_ name: FieldName) -> Entry? {
        guard names.contains(name) else { return nil }
        for entry in entries where entry.name == name { return entry }
        return nil
    }

    /// The value of the first field of this name; bytes that are not UTF-8 read as U+FFFD.
    package subscript(name: FieldName) -> String? {
        guard let entry = first(name) else { return nil }
        return value(of: entry)
    }

    /// The values of all fields of this name, in order.
    package func values(_ name: FieldName) -> [String] {
        names.contains(name) ? entries.lazy.filter { $0.name == name }.map { value(of: $0) } : []
    }

    /// The value of the first field whose name equals `name` in any letter case: for names outside `FieldName`.
    package func first(named name: String) -> String? {
        for (candidate, value) in pairs where candidate.lowercased() == name.lowercased() { return value }
        return nil
    }

    /// Every field as text, in order.
    package var pairs: [(name: String, value: String)] {
        entries.map { (text(at: $0.nameStart, $0.nameLength), value(of: $0)) }
    }

    /// Whether a comma-separated list field (`Connection`, `Transfer-Encoding`, …) holds this token, in any
    /// letter case (RFC 9110 §5.6.1).
    package func list(_ name: FieldName, contains token: StaticString) -> Bool {
        guard names.contains(name) else { return false }
        return bytes.withUnsafeReadableBytes { memory in
            entries.contains { entry in
                entry.name == name
                    && memory.listElements(in: entry.valueRange).contains {
                        token.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: memory[$0]))
                    }
            }
        }
    }

    /// Appends a field. The value must be valid (RFC 9110 §5.5): it comes from ourselves or was parsed.
    package mutating func append(_ name: FieldName, _ value: String) {
        name.text.withUTF8Buffer { appendEntry(name, nameBytes: $0, value: value) }
    }

    /// Appends a field with a name outside `FieldName`.
    package mutating func append(named name: String, _ value: String) {
        var copy = name
        copy.withUTF8 { text in
            appendEntry(FieldName(UnsafeRawBufferPointer(text)), nameBytes: text, value: value)
        }
    }

    /// Removes every field of this name.
    package mutating func remove(_ name: FieldName) {
        guard names.contains(name) else { return }
        removeEntries { $0.name == name }
    }

    /// Whether a field of this name has a value with this text of two bytes or more in it.
    package func value(of name: FieldName, contains text: StaticString) -> Bool {
        guard names.contains(name) else { return false }
        return bytes.withUnsafeReadableBytes { memory in
            entries.contains { entry in
                entry.name == name
                    && UnsafeRawBufferPointer(rebasing: memory[entry.valueRange]).contains(
                        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
            }
        }
    }

    /// The elements of a comma-separated list field, in order, those of repeated fields one behind the other.
    package func elements(_ name: FieldName) -> [String] {
        guard names.contains(name) else { return [] }
        return bytes.withUnsafeReadableBytes { memory in
            var elements: [String] = []
            for entry in entries where entry.name == name {
                for range in memory.listElements(in: entry.valueRange) {
                    elements.append(String(decoding: memory[range], as: UTF8.self))
                }
            }
            return elements
        }
    }

    /// Removes every field whose name is in `others`.
    package mutating func remove(_ others: FieldNameSet) {
        guard !names.isDisjoint(with: others) else { return }
        removeEntries { others.contains($0.name) }
    }

    /// Removes what belongs to one hop alone: the fields of RFC 9110 §7.6.1 and those that `Connection` names; and
    /// others, in one go.
    ///
    /// `Connection` cannot take out `Host` or `Content-Length`: a caller would change the meaning of the
    /// message behind our back.
    mutating func removeHopByHop(and others: FieldNameSet = FieldNameSet()) {
        var leaving = FieldName.hopByHop
        leaving.formUnion(others)
        guard !names.isDisjoint(with: leaving) else { return }
        let nominated = nominatedNames
        if nominated.isEmpty { return removeEntries { leaving.contains($0.name) } }
        let bytes = self.bytes
        removeEntries { entry in
            if leaving.contains(entry.name) { return true }
            if entry.name == .host || entry.name == .contentLength { return false }
            return bytes.withUnsafeReadableBytes { memory in
                let name = UnsafeRawBufferPointer(rebasing: memory[entry.nameRange])
                return nominated.contains {
                    name.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: memory[$0]))
                }
            }
        }
    }

    /// Where the names are that `Connection` lists, without those that always belong to one hop: `keep-alive` is what
    /// most messages say.
    var nominatedNames: [Range<Int>] {
        guard names.contains(.connection), !saysKeepAliveAlone else { return [] }
        return bytes.withUnsafeReadableBytes { memory in
            var nominated: [Range<Int>] = []
            for entry in entries where entry.name == .connection {
                for element in memory.listElements(in: entry.valueRange)
                where !FieldName(UnsafeRawBufferPointer(rebasing: memory[element])).isHopByHop {
                    nominated.append(element)
                }
            }
            return nominated
        }
    }

    /// Removes the fields of which that is true, in one pass, in place where nobody else has them.
    mutating func removeEntries(where isLeaving: (Entry) -> Bool) {
        var (once, more) = (FieldNameSet(), FieldNameSet())
        entries.removeAll { entry in
            if isLeaving(entry) { return true }
            if once.contains(entry.name) { more.insert(entry.name) } else { once.insert(entry.name) }
            return false
        }
        (names, repeated) = (once, more)
    }

    /// Puts another value in the place of a field's.
    mutating func setValue(at index: Int, _ value: [UInt8]) {
        entries[index].valueStart = UInt32(bytes.readableBytes)
        entries[index].valueLength = UInt32(value.count)
        bytes.writeBytes(value)
    }

    /// How many bytes `write` takes.
    var writtenBytes: Int {
        var total = 0
        for entry in entries { total += Int(entry.nameLength) + Int(entry.valueLength) + 4 }
        return total
    }

    /// Writes `name: value` lines, each ended by CRLF, without the empty line that ends a head.
    package func write(to output: inout ByteBuffer) {
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: writtenBytes) { memory in
            var cursor = ByteCursor(memory)
            write(to: &cursor)
            return cursor.count
        }
    }

    /// The same, into `writtenBytes` of memory.
    func write(to cursor: inout ByteCursor) { write(to: &cursor) { _, _ in true } }

    /// The same of the fields of which that is true.
    @inline(__always)
    func write(
        to cursor: inout ByteCursor, where isStaying: (Entry, _ memory: UnsafeRawBufferPointer) -> Bool
    ) {
        bytes.withUnsafeReadableBytes { memory in
            // Lines that stand behind one another in memory are copied in one piece.
            var run = 0..<0
            for entry in entries where isStaying(entry, memory) {
                let line = entry.wholeLine(in: memory)
                if let line, line.lowerBound == run.upperBound {
                    run = run.lowerBound..<line.upperBound
                    continue
                }
                cursor.append(UnsafeRawBufferPointer(rebasing: memory[run]))
                run = line ?? 0..<0
                if line == nil {
                    cursor.append(UnsafeRawBufferPointer(rebasing: memory[entry.nameRange]))
                    cursor.append(": ")
                    cursor.append(UnsafeRawBufferPointer(rebasing: memory[entry.valueRange]))
                    cursor.append("\r\n")
                }
            }
            cursor.append(UnsafeRawBufferPointer(rebasing: memory[run]))
        }
    }

    private mutating func appendEntry(
        _ name: FieldName, nameBytes: UnsafeBufferPointer<UInt8>, value: String
    ) {
        var value = value
        value.withUTF8 { value in
            let nameStart = bytes.readableBytes
            let valueStart = nameStart + nameBytes.count + 2
            bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: nameBytes.count + value.count + 4) {
                memory in
                var cursor = ByteCursor(memory)
                cursor.append(UnsafeRawBufferPointer(nameBytes))
                cursor.append(": ")
                cursor.append(UnsafeRawBufferPointer(value))
                cursor.append("\r\n")
                return cursor.count
            }
            if entries.isEmpty { entries.reserveCapacity(4) }
            note(name)
            entries.append(
                Entry(
                    name: name, nameStart: UInt32(nameStart), nameLength: UInt32(nameBytes.count),
                    valueStart: UInt32(valueStart), valueLength: UInt32(value.count)))
        }
    }

    private func value(of entry: Entry) -> String {
        text(at: entry.valueStart, entry.valueLength)
    }

    private func text(at start: UInt32, _ length: UInt32) -> String {
        bytes.withUnsafeReadableBytes { memory in
            String(decoding: memory[Int(start)..<Int(start) + Int(length)], as: UTF8.self)
        }
    }
}

extension HeaderFields: Equatable {
    /// Equal when names, values and order are the same, byte for byte.
    package static func == (left: Self, right: Self) -> Bool {
        var (leftText, rightText) = (ByteBuffer(), ByteBuffer())
        left.write(to: &leftText)
        right.write(to: &rightText)
        return leftText == rightText
    }
}

extension HeaderFields.Entry {
    var nameRange: Range<Int> { Int(nameStart)..<Int(nameStart) + Int(nameLength) }
    var valueRange: Range<Int> { Int(valueStart)..<Int(valueStart) + Int(valueLength) }

    /// The bytes of the whole line, when they are just as we would write them: `name: value` and CRLF.
    func wholeLine(in memory: UnsafeRawBufferPointer) -> Range<Int>? {
        let (nameEnd, valueEnd) = (nameRange.upperBound, valueRange.upperBound)
        guard Int(valueStart) == nameEnd + 2, valueEnd + 2 <= memory.count,
            memory[nameEnd] == UInt8(ascii: ":"), memory[nameEnd + 1] == UInt8(ascii: " "),
            memory[valueEnd] == UInt8(ascii: "\r"), memory[valueEnd + 1] == UInt8(ascii: "\n")
        else { return nil }
        return Int(nameStart)..<valueEnd + 2
    }
}

extension UnsafeRawBufferPointer {
    /// The non-empty elements of a comma-separated list, without the white space around them.
    func listElements(in range: Range<Int>) -> ListElements { ListElements(memory: self, rest: range) }

    /// The range without leading and trailing spaces and tabs (RFC 9110 §5.6.3).
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start].isOptionalWhitespace { start += 1 }
        while end > start, self[end - 1].isOptionalWhitespace { end -= 1 }
        return start..<end
    }

    /// Whether ASCII bytes differ in letter case at most.
    func equalsIgnoringCase(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let left = baseAddress, let right = other.baseAddress else {
            return count == other.count
        }
        // By whole words, of which the last one may overlap the one before.
        if count >= 8 {
            var offset = 0
            while offset < count - 8 {
                guard left.equalsIgnoringCase(right, at: offset, UInt64.self) else { return false }
                offset += 8
            }
            return left.equalsIgnoringCase(right, at: count - 8, UInt64.self)
        }
        if count >= 4 {
            return left.equalsIgnoringCase(right, at: 0, UInt32.self)
                && left.equalsIgnoringCase(right, at: count - 4, UInt32.self)
        }
        return (0..<count).allSatisfy { left.equalsIgnoringCase(right, at: $0, UInt8.self) }
    }
}

extension UnsafeRawPointer {
    /// Whether the bytes of a word of both differ in letter case at most.
    @inline(__always)
    fileprivate func equalsIgnoringCase<Word: FixedWidthInteger & BitwiseCopyable>(
        _ other: UnsafeRawPointer, at offset: Int, _ type: Word.Type
    ) -> Bool {
        let mine = loadUnaligned(fromByteOffset: offset, as: type)
        let others = other.loadUnaligned(fromByteOffset: offset, as: type)
        // Most names come in the spelling that we have.
        return mine == others
            || UInt64(truncatingIfNeeded: mine).asciiLowercased
                == UInt64(truncatingIfNeeded: others).asciiLowercased
    }
}

/// What `listElements` gives: ranges, one after the other.
struct ListElements: Sequence, IteratorProtocol {
    fileprivate let memory: UnsafeRawBufferPointer
    fileprivate var rest: Range<Int>

    mutating func next() -> Range<Int>? {
        while !rest.isEmpty {
            // Not `firstIndex` of a slice, which takes several times as long.
            var comma = rest.lowerBound
            while comma < rest.upperBound, memory[comma] != UInt8(ascii: ",") { comma += 1 }
            let element = memory.trimmed(rest.lowerBound..<comma)
            rest = Swift.min(comma + 1, rest.upperBound)..<rest.upperBound
            if !element.isEmpty { return element }
        }
        return nil
    }
}

extension UInt8 {
    /// Space or tab (RFC 9110 §5.6.3).
    var isOptionalWhitespace: Bool { self == 0x20 || self == 0x09 }
}
