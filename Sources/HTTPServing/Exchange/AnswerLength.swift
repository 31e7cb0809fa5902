package import HTTPMessage

/// What the head of an answer promised of its body, and how much of that has still to come: whoever answers is held to it, in
/// whatever version of HTTP its caller has the answer.
package struct AnswerLength: Sendable, Hashable {
    private enum Promise: Hashable {
        /// So many bytes are still to come; none where there is no body.
        case bytes(left: Int)
        /// As many as come before its end.
        case open
        /// It is no HTTP any more: as many as come either way (RFC 9110 §7.8).
        case raw
    }

    private var promise: Promise

    /// - Parameters:
    ///   - head: the final one, without what may not pass to the caller. It is made to say that the length is 0 where
    ///     nothing follows and nothing was said.
    ///   - method: that was asked.
    ///   - isLast: no body follows.
    /// - Throws: for a length that contradicts itself, or a promised body that is missing.
    package init(
        settling head: inout ResponseHead, toMethod method: String, isLast: Bool
    ) throws(HTTPMessageError) {
        guard head.status != 101 else {
            promise = .raw
            return
        }
        switch try head.bodyFraming(requestMethod: method) {
        case .none:
            promise = .bytes(left: 0)
        case .length(let length):
            guard !isLast else { throw HTTPMessageError(.truncated, "a promised body is missing") }
            promise = .bytes(left: length)
        case .chunked, .untilClose:
            if isLast { head.fields.append(.contentLength, "0") }
            promise = isLast ? .bytes(left: 0) : .open
        }
    }

    /// Whether the answer left HTTP.
    package var isRaw: Bool { promise == .raw }

    /// Whether the end of the body shows without a mark behind it.
    package var isDelimited: Bool {
        switch promise {
        case .bytes: true
        case .open, .raw: false
        }
    }

    /// Bytes that are still to come, where that is known.
    var bytesLeft: Int? {
        if case .bytes(let left) = promise { return left }
        return nil
    }

    /// Whether all that was promised has come, whatever mark is still to follow: who gets it has the whole answer.
    package var isFilled: Bool { promise == .bytes(left: 0) }

    /// Whether so many more bytes fit what was promised, and, for the last ones, fill it.
    package func accepts(_ count: Int, isLast: Bool) -> Bool {
        switch promise {
        case .bytes(let left): isLast ? count == left : count <= left
        case .open, .raw: true
        }
    }

    /// So many more bytes came. `accepts` was asked before.
    package mutating func took(_ count: Int) {
        if case .bytes(let left) = promise { promise = .bytes(left: left - count) }
    }
}
