import struct NIOCore.ByteBuffer

/// Version 1: a line such as `PROXY TCP4 192.0.2.1 198.51.100.2 56324 443`.
enum ProxyHeaderLine {
    /// What it begins with.
    static let signature = Array("PROXY ".utf8)

    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")

    /// - Parameter view: begins with the signature.
    static func read(_ view: some Collection<UInt8>) throws(ProxyHeaderError) -> ProxyHeader.Reading {
        let start = view.prefix(ProxyHeader.longestLine)
        guard let end = start.firstIndex(of: lineFeed) else {
            guard start.count < ProxyHeader.longestLine else {
                throw ProxyHeaderError("the line is longer than \(ProxyHeader.longestLine) bytes")
            }
            return .incomplete
        }
        let line = Array(start[..<end])
        guard line.last == carriageReturn, let text = String(validating: line.dropLast(), as: UTF8.self)
        else { throw ProxyHeaderError("the line does not end in CR LF") }
        return .whole(ProxyHeader(ends: try ends(in: text)), length: line.count + 1)
    }

    private static func ends(in line: String) throws(ProxyHeaderError) -> ProxyHeader.Ends? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        let isIPv4: Bool
        switch words.dropFirst().first {
        // What follows is to be passed over.
        case "UNKNOWN": return nil
        case "TCP4": isIPv4 = true
        case "TCP6": isIPv4 = false
        default: throw ProxyHeaderError("it names neither TCP4, TCP6 nor UNKNOWN")
        }
        guard words.count == 6 else { throw ProxyHeaderError("it has not two addresses and two ports") }
        guard let source = endpoint(words[2], words[4], isIPv4),
            let target = endpoint(words[3], words[5], isIPv4)
        else { throw ProxyHeaderError("an address or port in it is none") }
        return ProxyHeader.Ends(source: source, destination: target)
    }

    private static func endpoint(_ address: Substring, _ port: Substring, _ isIPv4: Bool) -> ProxyEndpoint? {
        guard address.utf8.contains(UInt8(ascii: ":")) != isIPv4, !address.contains("%"),
            let port = ProxyEndpoint.port(port)
        else { return nil }
        return ProxyEndpoint(address, port: port)
    }

    static func encoded(_ header: ProxyHeader) -> ByteBuffer {
        guard let ends = header.ends else { return ByteBuffer(string: "PROXY UNKNOWN\r\n") }
        let isIPv4 = ends.source.isIPv4 && ends.destination.isIPv4
        let family = isIPv4 ? "TCP4" : "TCP6"
        let (source, destination) = (ends.source.text(isIPv4), ends.destination.text(isIPv4))
        return ByteBuffer(
            string:
                "PROXY \(family) \(source) \(destination) \(ends.source.port) \(ends.destination.port)\r\n")
    }
}

extension ProxyEndpoint {
    /// Both ends are of one family: an IPv4 address beside one of IPv6 is written as that one.
    fileprivate func text(_ isIPv4: Bool) -> String {
        isIPv4 || !self.isIPv4 ? addressText : "::ffff:" + addressText
    }
}
