import HTTPMessage
import NIOHPACK

/// Heads and trailers of answers as HTTP/2 has them (RFC 9113 §8.3.2).
enum HTTP2Answer {
    /// What one frame holds at least, whatever the caller says; a longer head cannot be sent.
    private static let mostFrameBytes = 16 << 10
    /// Those for which there is a byte (RFC 7541 Appendix A).
    private static let knownStatuses: Set = [200, 204, 206, 304, 400, 404, 500]
    /// Four bytes are the most that one takes.
    private static let surelyFits = mostFrameBytes / 4

    /// - Returns: nil where it does not fit.
    static func head(_ head: ResponseHead) -> HPACKHeaders? {
        var headers = HPACKHeaders()
        headers.add(
            name: ":status", value: String(head.status),
            indexing: knownStatuses.contains(head.status) ? .indexable : .nonIndexable)
        return append(head.fields, to: &headers) ? headers : nil
    }

    /// - Returns: nil where they do not fit.
    static func trailers(_ fields: HeaderFields) -> HPACKHeaders? {
        var headers = HPACKHeaders()
        return append(fields, to: &headers) ? headers : nil
    }

    private static func append(_ fields: HeaderFields, to headers: inout HPACKHeaders) -> Bool {
        let pairs = fields.pairs
        headers.reserveCapacity(pairs.count + 1)
        var bytes = 16
        for (name, value) in pairs {
            let name = name.lowercased()
            guard !isOfOneHop(name) else { continue }
            bytes += name.utf8.count + value.utf8.count + 8
            // In no table: how large that is the caller says, and what is looked up in it others wait for.
            headers.add(name: name, value: value, indexing: .nonIndexable)
        }
        guard bytes > surelyFits else { return true }
        return headers.reduce(16) { $0 + written($1.name) + written($1.value) + 8 } <= mostFrameBytes
    }

    private static func isOfOneHop(_ name: String) -> Bool {
        switch name {
        case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": true
        default: false
        }
    }

    /// How many bytes a text takes at most: each byte becomes as many bits as RFC 7541 Appendix B says.
    private static func written(_ text: String) -> Int { text.utf8.reduce(0) { $0 + written($1) } }

    private static func written(_ byte: UInt8) -> Int {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: 1
        case 0x20, 0x25, 0x26, 0x2a, 0x2c, 0x2d, 0x2e, 0x2f, 0x3a, 0x3b, 0x3d, 0x5f: 1
        case 0x5c: 3
        case 0x21..<0x7f: 2
        default: 4
        }
    }
}
