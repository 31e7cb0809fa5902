import TestSupport

/// Frames of HTTP/2, made by hand (RFC 9113 §4, RFC 7541 §6.2.2).
enum HTTP2Frames {
    /// What a connection begins with.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, 0)

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8] = []) -> [UInt8] {
        number(payload.count, 3) + [type, flags] + number(stream, 4) + payload
    }

    static func number(_ value: Int, _ bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(truncatingIfNeeded: value >> ((bytes - 1 - $0) * 8)) }
    }

    /// Fields as literals.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0, UInt8($0.utf8.count)] + $0.utf8 + [UInt8($1.utf8.count)] + $1.utf8 }
    }

    /// A request's fields.
    static func request(
        _ method: String = "GET", _ path: String = "/", token: String, _ more: [(String, String)] = []
    ) -> [UInt8] {
        block(
            [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)] + more
                + [("x-token", token)])
    }
}

extension StreamSocket {
    /// The next frame of a stream: its type, flags and payload.
    func readFrame(of stream: Int) throws -> (type: UInt8, flags: UInt8, payload: [UInt8]) {
        while true {
            let head = try read(9)
            let payload = try read(head[..<3].reduce(0) { $0 << 8 | Int($1) })
            if head[5...].reduce(0, { $0 << 8 | Int($1) }) == stream { return (head[3], head[4], payload) }
        }
    }
}
