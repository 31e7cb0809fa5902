/// Fields as HTTP/2 has them (RFC 9113 §8.2), for whichever end writes or reads them.
package enum HTTP2Fields {
    /// Whether a field belongs to a connection of HTTP/1 and has no place here (RFC 9113 §8.2.2).
    ///
    /// - Parameter name: in lower case.
    package static func isOfOneHop(_ name: String) -> Bool {
        switch name {
        case "connection", "http2-settings", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
            true
        default: false
        }
    }

    /// Bytes that a field takes in HPACK at most (RFC 7541 §6.2), whatever coding its writer chooses for its texts.
    package static func mostBytes(_ name: String, _ value: String) -> Int {
        mostBytes(of: name) + mostBytes(of: value) + 12
    }

    /// The same of one text, without what tells its length: each byte becomes as many bits as RFC 7541 Appendix B says.
    package static func mostBytes(of text: String) -> Int { text.utf8.reduce(0) { $0 + huffmanBytes($1) } }

    private static func huffmanBytes(_ byte: UInt8) -> Int {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: 1
        case 0x20, 0x25, 0x26, 0x2a, 0x2c, 0x2d, 0x2e, 0x2f, 0x3a, 0x3b, 0x3d, 0x5f: 1
        case 0x5c: 3
        case 0x21..<0x7f: 2
        default: 4
        }
    }
}
