import struct NIOCore.ByteBuffer

// What nearly every request is asked and how it is written, without a copy of a value or of the fields.
extension HeaderFields {
    /// Whether the first field of this name has this value; one that is not there has none.
    package func value(of name: FieldName, equals text: String) -> Bool {
        guard let entry = first(name) else { return false }
        let isEqual = text.utf8.withContiguousStorageIfAvailable { text in
            bytes.withUnsafeReadableBytes { $0.holds(UnsafeRawBufferPointer(text), at: entry.valueRange) }
        }
        return isEqual == true
    }

    /// Whether the first field of this name has these bytes as its value, or there is neither.
    func value(of name: FieldName, isAsIn text: [UInt8]) -> Bool {
        guard let entry = first(name) else { return text.isEmpty }
        return text.withUnsafeBytes { text in
            bytes.withUnsafeReadableBytes { $0.holds(text, at: entry.valueRange) }
        }
    }

    /// Whether `Connection` says `keep-alive`, as most of them do, and nothing else; false where it does so in other letters.
    var saysKeepAliveAlone: Bool {
        guard !repeated.contains(.connection), let entry = first(.connection), entry.valueLength == 10
        else { return false }
        return bytes.withUnsafeReadableBytes { memory in
            let start = Int(entry.valueStart)
            let front = memory.loadUnaligned(fromByteOffset: start, as: UInt64.self)
            let rest = memory.loadUnaligned(fromByteOffset: start + 8, as: UInt16.self)
            return front == UInt64(bigEndian: 0x6b65_6570_2d61_6c69) && rest == UInt16(bigEndian: 0x7665)
        }
    }

    /// Whether all that goes into a tunnel of a stranger's request are fields of it as they came: nothing is said of trailers,
    /// and `Connection` names none that would not stay behind anyway.
    var goAsStrangersDo: Bool { !contains(.te) && nominatedNames.isEmpty }
}

extension ByteBuffer {
    /// Writes the head of a stranger's request whose fields `goAsStrangersDo`, with lines behind its own: as
    /// `Forwarding.rewrite` and `removeForwarding` would leave it.
    ///
    /// - Returns: how many bytes come before these lines.
    mutating func writeStrangersHead(_ head: RequestHead, behindWhich lines: [UInt8]) -> Int {
        let lineBytes = head.method.utf8.count + head.target.utf8.count + 12
        let leaving = Forwarding.staysWithStrangers
        var ownBytes = 0
        writeWithUnsafeMutableBytes(
            minimumWritableBytes: lineBytes + head.fields.writtenBytes + lines.count + 2
        ) { memory in
            var cursor = ByteCursor(memory)
            head.writeLine(to: &cursor)
            head.fields.write(to: &cursor) { entry, memory in
                !leaving.contains(entry.name) && !HeaderFields.isForwarding(entry, memory)
            }
            ownBytes = cursor.count
            lines.withUnsafeBytes { cursor.append($0) }
            cursor.append("\r\n")
            return cursor.count
        }
        return ownBytes
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes, and no others, stand at a place. Takes the same time wherever they differ: one of them may be a
    /// secret.
    @inline(__always)
    fileprivate func holds(_ text: UnsafeRawBufferPointer, at place: Range<Int>) -> Bool {
        guard place.count == text.count else { return false }
        var difference: UInt64 = 0
        var index = 0
        while index + 8 <= text.count {
            difference |=
                loadUnaligned(fromByteOffset: place.lowerBound + index, as: UInt64.self)
                ^ text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < text.count {
            difference |= UInt64(self[place.lowerBound + index] ^ text[index])
            index += 1
        }
        return difference == 0
    }
}
