import HTTPMessage

import struct NIOCore.ByteBuffer

/// One exchange as HTTP/1 has it, without I/O: the request's body as it comes, its answer as it is written, and whether
/// the connection can go on behind them (RFC 9112 §9.3).
struct HTTP1Exchange {
    /// How much of a request whose answer is whole already is taken, in bytes, so that the connection can go on.
    private static let mostRest = 64 << 10

    private let method: String
    private var body: BodyDecoder?
    /// Bytes of the body that are still to come; nil where nobody knows, or the caller may never send them: who waits to be
    /// told to send it may or may not do so behind the answer (RFC 9110 §10.1.1).
    private var left: Int?
    private(set) var encoder: ResponseEncoder

    /// - Parameter keepAlive: whether the connection may go on.
    init(_ head: RequestHead, _ framing: BodyFraming, keepAlive: Bool, limits: HTTPLimits) {
        method = head.method
        body = framing == .none ? nil : BodyDecoder(framing, limits: limits)
        left =
            if case .length(let length) = framing, !head.fields.contains(.expect) { length } else { nil }
        encoder = ResponseEncoder(head.version, keepAlive: keepAlive)
    }

    // MARK: The request

    var isRequestWhole: Bool { body == nil }

    /// - Returns: the next piece of the body, its bytes taken off the input; nil while more bytes are needed, and after the
    ///   end.
    mutating func next(_ input: inout ByteBuffer) throws(HTTPMessageError) -> BodyDecoder.Part? {
        let part = try body?.next(&input)
        switch part {
        case .bytes(let bytes): if let left { self.left = left - bytes.readableBytes }
        case .end: body = nil
        case nil: break
        }
        return part
    }

    // MARK: The answer

    /// Whether the caller has been told that the connection goes on.
    var hasPromisedToStay: Bool { encoder.hasBegun && encoder.keepAlive }
    /// Whether the connection goes on behind this answer.
    var keepAlive: Bool { encoder.keepAlive }
    /// Whether the end of the answer shows without the end of the connection.
    var isDelimited: Bool { encoder.isDelimited }

    /// Whether the connection can go on although the answer comes before the end of the request.
    private var isRestSmall: Bool { body == nil || left.map { $0 <= Self.mostRest } ?? false }

    /// - Returns: nil where the caller would not understand it.
    func interim(_ head: ResponseHead) -> ByteBuffer? { encoder.interim(head) }

    /// - Parameters:
    ///   - isLeaving: whether the connection is to end behind this answer.
    ///   - date: what the answer says where it came without.
    mutating func begin(
        _ head: consuming ResponseHead, _ length: AnswerLength, isLeaving: Bool,
        date: @autoclosure () -> String
    ) -> ByteBuffer {
        if isLeaving || !isRestSmall { encoder.leave() }
        return encoder.begin(head, length, date: date())
    }

    mutating func switchProtocols(_ head: consuming ResponseHead) -> ByteBuffer {
        encoder.switchProtocols(head)
    }

    /// A whole answer of our own.
    mutating func encode(_ answer: OwnAnswer, isLeaving: Bool, date: String) -> ByteBuffer {
        if isLeaving || !isRestSmall { encoder.leave() }
        encoder.beginElsewhere()
        return answer.encoded(
            toMethod: method, encoder.version, closing: !encoder.keepAlive, date: date)
    }
}
