import HTTPMessage
import NIOCore

/// Reads the response to one request off a connection (RFC 9112 §4, §6), without I/O.
struct ResponseParser {
    enum Event: Equatable {
        /// An interim or the final head.
        case head(ResponseHead, BodyFraming)
        case bytes(ByteBuffer)
        /// The response is whole; after 101, the origin closed its direction.
        case end(HeaderFields?)
    }

    private enum Phase {
        /// Next: head (after an interim one), body, raw.
        case head
        /// Next: ended.
        case body
        /// Both directions are raw after 101. Next: ended.
        case raw
        case ended
    }

    /// Origins may send twice the fields that callers may, as many as go through the tunnel.
    private static let limits = HTTPLimits(fieldCount: 256)

    private var method: String
    private var upgrade: UpgradeOffer
    private var phase = Phase.head
    private var reader = ResponseHeadReader(limits: Self.limits)
    /// Of the body; there once the final head has come.
    private var decoder: BodyDecoder?
    private var keepsAlive = false
    private var input = ByteBuffer()
    /// The first four bytes that came, where so many came at once.
    private var opening: UInt32 = 0

    /// Whether any byte came: the origin has seen the request then.
    private(set) var hasReceived = false
    /// Whether the final head was handed over.
    private(set) var headHasCome = false
    /// Whether 101 was handed over.
    private(set) var isUpgraded = false

    /// - Parameters:
    ///   - method: of the request; an answer to `HEAD` has no body.
    ///   - upgrade: what the request offers; 101 may name nothing else.
    init(method: String, upgrade: UpgradeOffer) {
        self.method = method
        self.upgrade = upgrade
    }

    /// The same in place of the one before, whose connection carries another request.
    mutating func begin(method: String, upgrade: UpgradeOffer) {
        self = ResponseParser(method: method, upgrade: upgrade)
    }

    /// Nothing more is asked of it.
    mutating func letGo() {
        input = ByteBuffer()
        decoder = nil
        if !upgrade.isEmpty { upgrade = UpgradeOffer() }
    }

    /// What it ends in, once all of it was handed over: whether it was a switch of protocols; and, where it was not, whether
    /// the response is whole and the connection can carry another request.
    mutating func ended() -> (isUpgraded: Bool, allowsReuse: Bool) {
        guard !isUpgraded, case .ended = phase else { return (isUpgraded, false) }
        let allowsReuse = keepsAlive && input.readableBytes == 0
        letGo()
        return (false, allowsReuse)
    }

    /// Whether the origin closed its direction after 101.
    var rawHasEnded: Bool {
        if case .ended = phase { isUpgraded } else { false }
    }

    /// What answered instead of an HTTP server, once it is known that no response comes.
    var otherProtocol: OtherProtocol? { headHasCome ? nil : OtherProtocol(opening) }

    /// Takes bytes from the connection.
    mutating func feed(_ bytes: ByteBuffer) {
        if !hasReceived {
            hasReceived = true
            opening = bytes.getInteger(at: bytes.readerIndex) ?? 0
        }
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeImmutableBuffer(bytes)
        }
    }

    /// - Returns: the next event, or nil while more bytes are needed.
    mutating func next() throws(HTTPMessageError) -> Event? {
        switch phase {
        case .head: try nextHead()
        case .body: try nextPart()
        case .raw: takeAll().map { .bytes($0) }
        case .ended: nil
        }
    }

    /// The connection ended; call after `next` returned nil.
    ///
    /// - Parameter isClean: false after an error: a body that runs to the end of the connection is not whole then.
    mutating func endOfInput(isClean: Bool) throws(HTTPMessageError) -> Event? {
        if case .ended = phase { return nil }
        keepsAlive = false
        guard isClean else { throw HTTPMessageError(.truncated, "the connection broke") }
        switch phase {
        case .head:
            throw HTTPMessageError(.truncated, "the connection ended before a response")
        case .body:
            phase = .ended
            guard case .end(let trailers)? = try decoder?.endOfInput() else { return nil }
            return .end(trailers)
        case .raw:
            phase = .ended
            return .end(nil)
        case .ended:
            return nil
        }
    }

    private mutating func nextHead() throws(HTTPMessageError) -> Event? {
        guard var head = try reader.next(&input) else { return nil }
        if head.isInterim { return .head(head, .none) }
        headHasCome = true
        if head.status == 101 {
            guard upgrade.allows(head.fields) else {
                throw HTTPMessageError(.malformed, "101 to a protocol that was not asked for")
            }
            isUpgraded = true
            phase = .raw
            return .head(head, .untilClose)
        }
        let (framing, isPlain) = try head.takeOriginFraming(requestMethod: method)
        decoder = BodyDecoder(framing, limits: Self.limits, isLenient: true)
        phase = .body
        // An HTTP/1.0 server cannot mean Transfer-Encoding (RFC 9112 §6.1): read it, but do not go on.
        keepsAlive =
            head.allowsKeepAlive && framing != .untilClose && isPlain
            && !(head.version == .http10 && head.fields.contains(.transferEncoding))
        return .head(consume head, framing)
    }

    private mutating func nextPart() throws(HTTPMessageError) -> Event? {
        switch try decoder?.next(&input) {
        case .bytes(let bytes)?:
            if input.readableBytes == 0 { input = ByteBuffer() }
            return .bytes(bytes)
        case .end(let trailers)?:
            phase = .ended
            return .end(trailers)
        case nil:
            return nil
        }
    }

    private mutating func takeAll() -> ByteBuffer? {
        guard input.readableBytes > 0 else { return nil }
        defer { input = ByteBuffer() }
        return input
    }
}
