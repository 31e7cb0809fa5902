/// The field `Forwarded` (RFC 7239): one element for each hop, in the order of the hops, of which each says who connected
/// (`for`), for which host, and by which protocol.
package enum Forwarded {
    /// What is read of one element.
    package struct Element: Equatable, Sendable {
        /// As it is written, without quotes: an address, one with a port (IPv6 in brackets), `unknown`, or a name that
        /// hides one.
        package var node: String?
        package var host: String?
        package var scheme: String?

        package init(node: String? = nil, host: String? = nil, scheme: String? = nil) {
            self.node = node
            self.host = host
            self.scheme = scheme
        }
    }

    /// Most elements that are read: nobody stands behind as many proxies.
    private static let mostElements = 64

    /// - Parameter values: of all fields of the name, in order.
    /// - Returns: nil where they are not what the RFC describes; who adds to it would be misunderstood.
    package static func elements(_ values: [String]) -> [Element]? {
        var reader = Reader(bytes: Array(values.joined(separator: ",").utf8))
        return reader.elements(atMost: mostElements)
    }

    /// A node as it stands in an element: IPv6 in brackets, and in quotes where it has to be (RFC 7239 §6).
    ///
    /// - Parameter address: as text, IPv6 without brackets; what is no address is `unknown`.
    package static func node(_ address: String, port: Int? = nil) -> String {
        var address = address
        let isName = address.withUTF8 { !$0.isEmpty && $0.allSatisfy { isIPv4Byte($0) } }
        if isName { return port.map { "\"\(address):\($0)\"" } ?? address }
        // What stands behind `%` names an interface of this machine.
        let rest = address.utf8.prefix { $0 != UInt8(ascii: "%") }
        guard rest.contains(UInt8(ascii: ":")), rest.allSatisfy({ isIPv6Byte($0) }) else { return "unknown" }
        return port.map { "\"[\(Substring(rest))]:\($0)\"" } ?? "\"[\(Substring(rest))]\""
    }

    /// The address in a node, or in an entry of `X-Forwarded-For`: without brackets, and without the port that some proxies
    /// add. What is none comes as it is.
    package static func address(in node: Substring) -> Substring {
        var text = node.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        if text.first == "[" { return text.dropFirst().prefix { $0 != "]" } }
        return text.count(where: { $0 == ":" }) == 1 ? text.prefix { $0 != ":" } : text
    }

    private static func isIPv4Byte(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 || byte == UInt8(ascii: ".") }

    private static func isIPv6Byte(_ byte: UInt8) -> Bool {
        byte.hexadecimalValue != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }
}

/// Reads elements strictly: `a=b;c="d", …`.
private struct Reader {
    let bytes: [UInt8]
    private var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func elements(atMost most: Int) -> [Forwarded.Element]? {
        var elements: [Forwarded.Element] = []
        repeat {
            skipBlanks()
            // An empty one counts for nothing (RFC 9110 §5.6.1.2).
            if index == bytes.count || bytes[index] == UInt8(ascii: ",") { continue }
            guard elements.count < most, let element = element() else { return nil }
            elements.append(element)
        } while take(",")
        return index == bytes.count ? elements : nil
    }

    private mutating func element() -> Forwarded.Element? {
        var element = Forwarded.Element()
        repeat {
            skipBlanks()
            let name = token()
            // An empty pair, such as behind the last semicolon.
            if name.isEmpty { continue }
            guard take("="), let value = value() else { return nil }
            switch name.lowercased() {
            case "for": element.node = value
            case "host": element.host = value
            case "proto": element.scheme = value.lowercased()
            default: break
            }
            skipBlanks()
        } while take(";")
        return element
    }

    private mutating func value() -> String? {
        guard take("\"") else {
            let text = token()
            return text.isEmpty ? nil : text
        }
        var text: [UInt8] = []
        while index < bytes.count {
            var byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return String(validating: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard index < bytes.count else { return nil }
                byte = bytes[index]
                index += 1
            }
            text.append(byte)
        }
        return nil
    }

    private mutating func token() -> String {
        let start = index
        while index < bytes.count, bytes[index].isTokenByte { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func skipBlanks() {
        while index < bytes.count, bytes[index].isOptionalWhitespace { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }
}
