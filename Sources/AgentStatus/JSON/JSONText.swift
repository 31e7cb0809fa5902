/// Values as JSON (RFC 8259), written while they tell of themselves: what goes out does not have to be gathered in a tree first,
/// which takes several times as long with the status of thousands of tunnels.
///
/// Keys come in the order of the properties, those of dictionaries with texts for keys sorted; slashes are not escaped; dates,
/// data and URLs are not known.
package enum JSONText {
    /// - Throws: where a number is none, or what a value throws itself.
    package static func bytes(of value: some Encodable) throws -> [UInt8] {
        let output = JSONOutput()
        try output.write(any: value)
        return output.text.bytes
    }

    package static func string(of value: some Encodable) throws -> String {
        String(decoding: try bytes(of: value), as: UTF8.self)
    }
}

extension JSONText {
    /// A text as a string of JSON.
    package static func quoted(_ text: String) -> String {
        var builder = JSONBuilder()
        builder.write(text)
        return String(decoding: builder.bytes, as: UTF8.self)
    }
}

/// Where a value and what is in it write.
final class JSONOutput {
    var text = JSONBuilder()
    /// Types that are known to be none of dictionaries: to ask a value takes far longer than to look its type up.
    private var plainTypes: Set<ObjectIdentifier> = []

    func write<Value: Encodable>(any value: Value) throws {
        if !plainTypes.contains(ObjectIdentifier(Value.self)) {
            if let dictionary = value as? any TextKeyed { return try dictionary.write(to: self) }
            plainTypes.insert(ObjectIdentifier(Value.self))
        }
        let (length, depth) = (text.bytes.count, text.depth)
        try value.encode(to: JSONEncoding(output: self, depth: depth))
        if text.bytes.count == length { text.open(isObject: true) }
        text.close(to: depth)
    }
}

/// The text so far, and which objects and lists in it are open.
struct JSONBuilder {
    private struct Level {
        let isObject: Bool
        var isEmpty = true
    }

    private(set) var bytes: [UInt8] = []
    private var levels: [Level] = []

    /// How many objects and lists are open.
    var depth: Int { levels.count }

    init() { bytes.reserveCapacity(256) }

    // MARK: Objects and lists

    mutating func open(isObject: Bool) {
        levels.append(Level(isObject: isObject))
        bytes.append(isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
    }

    /// Closes what lies deeper: who wrote there has come to the end of it.
    mutating func close(to depth: Int) {
        while levels.count > depth, let level = levels.popLast() {
            bytes.append(level.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
        }
    }

    /// The next element of the object or list at that depth begins.
    mutating func beginElement(at depth: Int) {
        close(to: depth)
        guard let last = levels.indices.last else { return }
        if !levels[last].isEmpty { bytes.append(UInt8(ascii: ",")) }
        levels[last].isEmpty = false
    }

    mutating func beginElement(_ key: some CodingKey, at depth: Int) {
        beginElement(key.stringValue, at: depth)
    }

    mutating func beginElement(_ key: String, at depth: Int) {
        beginElement(at: depth)
        write(key)
        bytes.append(UInt8(ascii: ":"))
    }

    // MARK: Values

    mutating func writeNull() { append("null") }
    mutating func write(_ value: Bool) { append(value ? "true" : "false") }

    mutating func write(whole value: some FixedWidthInteger) {
        if let value = UInt8(exactly: value), value < 10 { return bytes.append(UInt8(ascii: "0") + value) }
        bytes.append(contentsOf: String(value).utf8)
    }

    mutating func write(_ value: some BinaryFloatingPoint & LosslessStringConvertible & Encodable) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(
                value, EncodingError.Context(codingPath: [], debugDescription: "it is no number in JSON"))
        }
        if let whole = Int32(exactly: value) { return write(whole: whole) }
        bytes.append(contentsOf: value.description.utf8)
    }

    mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            for index in utf8.indices {
                let byte = utf8[index]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7f
                else { continue }
                bytes.append(contentsOf: utf8[start..<index])
                writeEscaped(byte)
                start = index + 1
            }
            bytes.append(contentsOf: utf8[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func writeEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\n"): append("\\n")
        case UInt8(ascii: "\r"): append("\\r")
        case UInt8(ascii: "\t"): append("\\t")
        case 0..<0x20, 0x7f:
            append("\\u00")
            for digit in [byte >> 4, byte & 0xf] {
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        default:
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        }
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
}

/// A dictionary whose keys are those of an object: in an order of their own they would be others in each process.
private protocol TextKeyed {
    func write(to output: JSONOutput) throws
}

extension Dictionary: TextKeyed where Key == String, Value: Encodable {
    fileprivate func write(to output: JSONOutput) throws {
        output.text.open(isObject: true)
        let depth = output.text.depth
        for (key, value) in sorted(by: { $0.key < $1.key }) {
            output.text.beginElement(key, at: depth)
            try output.write(any: value)
        }
        output.text.close(to: depth - 1)
    }
}
