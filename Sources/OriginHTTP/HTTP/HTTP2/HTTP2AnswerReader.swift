import HTTPMessage
import NIOHPACK

/// Reads the answer to one request out of the frames of its stream (RFC 9113 §8.1, §8.3.2), without I/O, and holds it to the
/// length that it promises.
struct HTTP2AnswerReader {
    /// What a HEADERS frame is.
    enum Event: Equatable {
        /// An interim or the final head.
        case head(ResponseHead, BodyFraming)
        /// Fields behind the body, which is whole.
        case trailers(HeaderFields)
    }

    private enum Phase {
        /// Next: head (after an interim one), body, raw, ended.
        case head
        /// So many bytes are to come; nil for any number. Next: ended.
        case body(left: Int?)
        /// A WebSocket is open. Next: ended.
        case raw
        case ended
    }

    /// As of HTTP/1.
    static let limits = HTTPLimits(fieldCount: 256)
    /// Interim heads that are taken: no window holds those back.
    private static let mostInterim = 32

    private let method: String
    /// What the head of a WebSocket that has opened says of its key; nil where none was asked for.
    private let webSocketAccept: String?
    private var phase = Phase.head
    private var interim = 0

    /// - Parameters:
    ///   - method: of the request; an answer to `HEAD` has no body.
    ///   - webSocketKey: of the request, where it asks for a WebSocket by extended CONNECT.
    init(method: String, webSocketKey: String? = nil) {
        self.method = method
        webSocketAccept = webSocketKey.map(WebSocketAccept.value)
    }

    /// Whether no more is to come.
    var isOver: Bool {
        if case .ended = phase { true } else { false }
    }

    /// Whether a WebSocket is, or was, open.
    private(set) var isUpgraded = false

    /// - Parameter isLast: the stream ends with it.
    mutating func headers(
        _ fields: some Sequence<(name: String, value: String)>, isLast: Bool
    ) throws(HTTPMessageError) -> Event {
        switch phase {
        case .head: return try head(fields, isLast: isLast)
        case .body(let left):
            guard isLast else { throw HTTPMessageError(.malformed, "trailers that do not end the answer") }
            guard left ?? 0 == 0 else { throw Self.wrongLength }
            var status: Int?
            let trailers = try Self.regular(fields, status: &status)
            guard status == nil else { throw HTTPMessageError(.malformed, "a status behind the body") }
            phase = .ended
            return .trailers(trailers)
        case .raw, .ended:
            throw HTTPMessageError(.malformed, "a head behind the end of the answer")
        }
    }

    /// So many bytes of the body came.
    mutating func data(_ count: Int, isLast: Bool) throws(HTTPMessageError) {
        switch phase {
        case .head, .ended: throw HTTPMessageError(.malformed, "a body without a head")
        case .raw: break
        case .body(let left):
            guard count <= left ?? .max, !isLast || left ?? count == count else { throw Self.wrongLength }
            phase = .body(left: left.map { $0 - count })
        }
        if isLast { phase = .ended }
    }

    private static let wrongLength = HTTPMessageError(
        .malformed, "the body is not as long as Content-Length says")

    private mutating func head(
        _ fields: some Sequence<(name: String, value: String)>, isLast: Bool
    ) throws(HTTPMessageError) -> Event {
        var status: Int?
        let regular = try Self.regular(fields, status: &status)
        guard let status, status != 101 else { throw HTTPMessageError(.malformed, "no status, or 101") }
        var head = ResponseHead(status: status, fields: regular)
        if head.isInterim {
            interim += 1
            guard !isLast, interim <= Self.mostInterim else {
                throw HTTPMessageError(.malformed, "too many interim answers, or one that ends the stream")
            }
            return .head(head, .none)
        }
        if let webSocketAccept, 200..<300 ~= status, !isLast {
            phase = .raw
            isUpgraded = true
            return .head(Self.switching(head.fields, webSocketAccept), .untilClose)
        }
        let framing = try head.takeOriginFraming(requestMethod: method).framing
        switch framing {
        case .none: phase = isLast ? .ended : .body(left: 0)
        case .length(let length):
            guard !isLast else { throw Self.wrongLength }
            phase = .body(left: length)
        case .chunked, .untilClose: phase = isLast ? .ended : .body(left: nil)
        }
        if case .ended = phase { return .head(head, .none) }
        return .head(head, framing == .untilClose ? .chunked : framing)
    }

    /// As HTTP/1 says that a WebSocket is open.
    private static func switching(_ fields: HeaderFields, _ accept: String) -> ResponseHead {
        var head = ResponseHead(status: 101, fields: fields)
        head.fields.remove([.contentLength, .secWebSocketAccept])
        head.fields.append(.connection, "Upgrade")
        head.fields.append(.upgrade, "websocket")
        head.fields.append(.secWebSocketAccept, accept)
        return head
    }

    /// The fields that are no pseudo-header fields. What belongs to a connection of HTTP/1 is passed over: it does no harm, and
    /// some say it.
    private static func regular(
        _ fields: some Sequence<(name: String, value: String)>, status: inout Int?
    ) throws(HTTPMessageError) -> HeaderFields {
        var regular = HeaderFields()
        for (name, value) in fields {
            if name.utf8.first == UInt8(ascii: ":") {
                guard name == ":status", status == nil, regular.isEmpty, let number = code(value) else {
                    throw HTTPMessageError(.malformed, "a malformed status, or another pseudo-header field")
                }
                status = number
                continue
            }
            if HTTP2Fields.isOfOneHop(name) { continue }
            try regular.append(received: name, value)
            guard regular.count <= limits.fieldCount else {
                throw HTTPMessageError(.headTooLarge, "too many header fields")
            }
        }
        return regular
    }

    private static func code(_ text: String) -> Int? {
        guard text.utf8.count == 3, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let code = Int(text) else {
            return nil
        }
        return code >= 100 ? code : nil
    }
}
