/// Segments that mean the folder above, in every spelling that some server understands.
package enum ParentSegments {
    /// - Parameter target: what follows `?` does not count.
    package static func isThere(in target: String) -> Bool {
        var path = Array(target.utf8.prefix { $0 != UInt8(ascii: "?") })
        for _ in 0..<PathEscapes.mostLevels {
            if path.split(whereSeparator: { "/\\".utf8.contains($0) }).contains(where: isParent) {
                return true
            }
            guard let decoded = PathEscapes.decoded(path) else { return false }
            path = decoded
        }
        return true
    }

    /// Parameters, and what ends a text for some, stand behind the name.
    static func isParent(_ segment: ArraySlice<UInt8>) -> Bool {
        segment.prefix { !";?#\0".utf8.contains($0) }.filter { $0 > 0x20 }.elementsEqual("..".utf8)
    }
}

/// What stands for other bytes in a path.
enum PathEscapes {
    /// Escapes within escapes that are looked through; nobody means more of them.
    static let mostLevels = 4

    /// The path without the escapes of bytes that cannot stand in one (RFC 3986 §2.3): those that nobody needs to write, and
    /// those of what parts segments, stay.
    static func decodedWhereNeeded(_ path: [UInt8]) -> [UInt8] {
        var (output, index) = ([UInt8](), 0)
        output.reserveCapacity(path.count)
        while index < path.count {
            if path[index] == UInt8(ascii: "%"), index + 2 < path.count,
                let high = path[index + 1].hexadecimalValue, let low = path[index + 2].hexadecimalValue,
                isNeeded(high << 4 | low)
            {
                output.append(high << 4 | low)
                index += 3
            } else {
                output.append(path[index])
                index += 1
            }
        }
        return output
    }

    private static func isNeeded(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: false
        default: !"-._~/\\%;".utf8.contains(byte)
        }
    }

    /// One level of escapes less, and letters that were made two bytes long (`%c0%ae`) in one; nil where there are none.
    static func decoded(_ path: [UInt8]) -> [UInt8]? {
        var (output, index, isChanged) = ([UInt8](), 0, false)
        output.reserveCapacity(path.count)
        while index < path.count {
            var byte = path[index]
            index += 1
            if byte == UInt8(ascii: "%"), index + 1 < path.count, let high = path[index].hexadecimalValue,
                let low = path[index + 1].hexadecimalValue
            {
                byte = high << 4 | low
                index += 2
                isChanged = true
            }
            if byte & 0xc0 == 0x80, let lead = output.last, lead & 0xfe == 0xc0 {
                output.removeLast()
                byte = (lead & 1) << 6 | byte & 0x3f
                isChanged = true
            }
            output.append(byte)
        }
        return isChanged ? output : nil
    }
}
