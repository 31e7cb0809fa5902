import HTTPMessage
import NIOCore

/// What a peer says about its refusal: the status, and as much of the body as is quoted.
struct RefusalQuote {
    /// How much of a body is quoted, in bytes.
    private static let longest = 200

    let head: ResponseHead
    private var body: BodyDecoder
    private var text = ByteBuffer()

    init(_ head: ResponseHead, requestMethod: String) throws(HTTPMessageError) {
        self.head = head
        body = BodyDecoder(try head.bodyFraming(requestMethod: requestMethod))
    }

    /// Takes what came of the body; whether no more of it is needed.
    mutating func take(_ input: inout ByteBuffer) -> Bool {
        while text.readableBytes < Self.longest {
            do throws(HTTPMessageError) {
                switch try body.next(&input) {
                case .bytes(let bytes): text.writeImmutableBuffer(bytes)
                case .end: return true
                case nil: return false
                }
            } catch {
                // The status says enough.
                return true
            }
        }
        return true
    }

    /// Takes bytes of the body that somebody else has decoded.
    mutating func take(decoded bytes: ByteBuffer) {
        if text.readableBytes < Self.longest { text.writeImmutableBuffer(bytes) }
    }

    /// Whether it is a page for browsers.
    var isPage: Bool {
        firstLine?.hasPrefix("<") == true
            || head.fields.first(named: "Content-Type")?.lowercased().hasPrefix("text/html") == true
    }

    /// The body's first line, or the reason phrase when there is none or the body is a page for browsers.
    var plainWords: String {
        guard let firstLine, !isPage else {
            return String(head.reason.prefix(Self.longest))
        }
        return firstLine
    }

    private var firstLine: String? {
        String(decoding: text.readableBytesView.prefix(Self.longest), as: UTF8.self)
            .split(whereSeparator: \.isNewline).first.map(String.init)
    }
}
