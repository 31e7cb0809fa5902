import HTTPMessage

import struct NIOCore.ByteBuffer

/// Heads of protocol v1: complete HTTP messages, whose framing stands in their fields.
enum MessageHead {
    /// The interim answer to a caller that waits before it sends a body (RFC 9110 §10.1.1).
    static let proceed = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")

    struct Request {
        var head: ByteBuffer
        /// As announced; 0 without one.
        var contentLength: Int
        var isChunked: Bool
        /// Whether no body follows.
        var isWhole: Bool
        var expectsContinue: Bool
        /// Whether it asks for a WebSocket, which a message cannot carry. Any other upgrade may be ignored (RFC 9110 §7.8).
        var isWebSocket: Bool
    }

    struct Response {
        var head: ByteBuffer
        /// As announced; nil without a length.
        var contentLength: Int?
        var isChunked: Bool
        /// Whether it is meant to be read while it is written, and may have no end.
        var isLive: Bool
    }

    static func prepare(_ request: RequestHead, isLast: Bool) -> Request {
        var head = request
        let asksForUpgrade = head.asksForUpgrade
        let isWebSocket = asksForUpgrade && head.fields.list(.upgrade, contains: "websocket")
        Forwarding.rewrite(&head.fields, at: .requestIntoMessage)
        let isWhole = isLast || asksForUpgrade
        let length = isWhole ? 0 : (try? head.fields.contentLength()) ?? nil
        let isChunked = !isWhole && length == nil
        if isChunked { head.fields.append(.transferEncoding, "chunked") }
        if !head.fields.contains(.host) { head.fields.append(.host, "") }
        let expectsContinue = !isWhole && head.fields.list(.expect, contains: "100-continue")
        head.fields.remove(.expect)
        head.target = readable(head.target)
        var text = ByteBuffer()
        text.writeRequestHead(head)
        return Request(
            head: text, contentLength: length ?? 0, isChunked: isChunked, isWhole: isWhole,
            expectsContinue: expectsContinue, isWebSocket: isWebSocket)
    }

    /// The target with per cent signs escaped that escape nothing: an old client cannot read a path with such, and
    /// closes the session for it. What an escape means stays the same.
    private static func readable(_ target: String) -> String {
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        guard path.contains(UInt8(ascii: "%")) else { return target }
        var text: [UInt8] = []
        for index in path.indices {
            text.append(path[index])
            guard path[index] == UInt8(ascii: "%") else { continue }
            let digits = path[path.index(after: index)...].prefix(2)
            let isEscape = digits.count == 2 && digits.allSatisfy { $0.hexadecimalValue != nil }
            if !isEscape { text += "25".utf8 }
        }
        return String(decoding: text + target.utf8[path.endIndex...], as: UTF8.self)
    }

    /// - Parameter isLast: no body follows.
    static func prepare(_ response: ResponseHead, method: String, isLast: Bool) -> Response {
        var head = response
        Forwarding.rewrite(&head, at: .answerIntoMessage)
        let hasNoBody = (try? head.bodyFraming(requestMethod: method)) == BodyFraming.none
        let length = (try? head.fields.contentLength()) ?? nil
        let hasLength = head.fields.contains(.contentLength)
        let isChunked = !isLast && !hasLength
        if isChunked {
            head.fields.append(.transferEncoding, "chunked")
        } else if isLast, !hasNoBody, !hasLength {
            head.fields.append(.contentLength, "0")
        }
        var text = ByteBuffer()
        text.writeResponseHead(head)
        return Response(
            head: text, contentLength: length, isChunked: isChunked, isLive: isChunked && isLive(head.fields))
    }

    /// Media types of one record after another: a reader sees where each ends, and that none is cut.
    private static let liveTypes = [
        "text/event-stream", "application/x-ndjson", "application/jsonl", "multipart/x-mixed-replace",
    ]

    private static func isLive(_ fields: HeaderFields) -> Bool {
        // What servers say to a proxy that would gather their answer.
        if fields.first(named: "X-Accel-Buffering")?.lowercased() == "no" { return true }
        guard let value = fields[.contentType] else { return false }
        let type = value.prefix { $0 != ";" && $0 != " " }.lowercased()
        return liveTypes.contains(type)
    }
}
