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
        let most = headers.reduce(16) {
            $0 + HTTP2Fields.mostBytes(of: $1.name) + HTTP2Fields.mostBytes(of: $1.value) + 8
        }
        return most <= mostFrameBytes
    }

    private static func isOfOneHop(_ name: String) -> Bool {
        switch name {
        case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": true
        default: false
        }
    }
}
