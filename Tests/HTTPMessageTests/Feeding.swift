import HTTPMessage
import NIOCore

/// What came of bytes fed to a reader or decoder.
enum Outcome<Value: Equatable>: Equatable {
    case values([Value], left: String)
    case refused(HTTPMessageError.Code)
}

/// Feeds pieces one after the other, as a connection would: what was not taken stays in front of what follows.
private func feed<Value: Equatable>(
    _ pieces: [some Sequence<UInt8>],
    next: (inout ByteBuffer) throws(HTTPMessageError) -> Value?
) -> Outcome<Value> {
    var buffer = ByteBuffer()
    var values: [Value] = []
    do throws(HTTPMessageError) {
        for piece in pieces {
            buffer.writeBytes(piece)
            while let value = try next(&buffer) { values.append(value) }
        }
    } catch {
        return .refused(error.code)
    }
    return .values(values, left: String(buffer: buffer))
}

func readRequests(_ pieces: [some Sequence<UInt8>], limits: HTTPLimits = HTTPLimits()) -> Outcome<RequestHead>
{
    var reader = RequestHeadReader(limits: limits)
    return feed(pieces) { buffer throws(HTTPMessageError) in try reader.next(&buffer) }
}

func readResponses(_ pieces: [some Sequence<UInt8>], limits: HTTPLimits = HTTPLimits()) -> Outcome<
    ResponseHead
> {
    var reader = ResponseHeadReader(limits: limits)
    return feed(pieces) { buffer throws(HTTPMessageError) in try reader.next(&buffer) }
}

/// A body, whole: the bytes of all pieces together, and the trailers.
struct DecodedBody: Equatable {
    var content: [UInt8] = []
    var isWhole = false
    var trailers: HeaderFields?
    var left: [UInt8] = []
}

func decodeBody(
    _ framing: BodyFraming, _ pieces: [some Sequence<UInt8>], limits: HTTPLimits = HTTPLimits(),
    endsInput: Bool = false, isLenient: Bool = false
) -> Result<DecodedBody, HTTPMessageError> {
    var decoder = BodyDecoder(framing, limits: limits, isLenient: isLenient)
    var buffer = ByteBuffer()
    var body = DecodedBody()
    func take(_ part: BodyDecoder.Part) {
        switch part {
        case .bytes(let bytes): body.content += bytes.readableBytesView
        case .end(let trailers): (body.isWhole, body.trailers) = (true, trailers)
        }
    }
    do throws(HTTPMessageError) {
        for piece in pieces {
            buffer.writeBytes(piece)
            while let part = try decoder.next(&buffer) { take(part) }
        }
        while let part = try decoder.next(&buffer) { take(part) }
        if endsInput, let part = try decoder.endOfInput() { take(part) }
    } catch {
        return .failure(error)
    }
    body.left = Array(buffer.readableBytesView)
    return .success(body)
}

/// The bytes in one piece, in two at every point, and one by one.
func everySplit(_ bytes: [UInt8]) -> [[ArraySlice<UInt8>]] {
    [[bytes[...]]] + bytes.indices.map { [bytes[..<$0], bytes[$0...]] }
        + [bytes.indices.map { bytes[$0...$0] }]
}

extension String {
    /// The text with `\n` as CRLF, for readable tables.
    var crlf: [UInt8] { Array(replacing("\n", with: "\r\n").utf8) }
    var bytes: [UInt8] { Array(utf8) }
}
