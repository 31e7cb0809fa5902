package import HTTPMessage
package import NIOCore

/// Where the answer to one request goes, and its alarm: all that a `ServedExchange` knows of its connection,
/// whatever version of HTTP that speaks. Used on its event loop.
///
/// It is called for one exchange until that is over: by `exchangeEnded`, `exchangeBroke` or `exchangeGaveUp`.
package protocol CallerStream: AnyObject {
    var eventLoop: any EventLoop { get }
    /// Whether it is all that its connection carries: only such a one can leave HTTP altogether.
    var isWholeConnection: Bool { get }
    /// Whether its caller is told in HTTP what went wrong.
    var speaksHTTP: Bool { get }
    /// Whether the caller keeps up with what is written.
    var isWritable: Bool { get }
    /// Bytes written that wait in this process.
    var waiting: Int { get }
    /// Bytes written of which the caller's machine has not said that it has them. Asks the kernel.
    var undelivered: Int { get }

    /// Writes an interim head (RFC 9110 §15.2), unless the caller would not understand it.
    func send(interim head: ResponseHead)
    /// Writes the final head.
    ///
    /// - Parameter isLast: it is the whole answer, which goes out at once.
    func send(_ head: consuming ResponseHead, _ length: AnswerLength, isLast: Bool)
    /// Writes a 101: from now on both directions are raw bytes.
    func send(switching head: consuming ResponseHead)
    /// Writes part of the body, or raw bytes. The last ones go out at once.
    func send(_ data: ByteBuffer, isLast: Bool)
    /// Ends the body with trailers, where there is room for them; all goes out at once.
    func send(trailers: HeaderFields)
    /// Writes an answer of our own in place of another, whole.
    ///
    /// - Parameter closes: whether the caller has to connect anew for more.
    func send(_ answer: OwnAnswer, closes: Bool)
    /// The peer's raw bytes are over.
    func endRawOutput()

    /// The answer is whole, or both raw directions are.
    func exchangeEnded()
    /// There will be no more of the answer. What there is goes out, then an end: so that the caller sees that
    /// something is missing, unless nothing is. `ServedExchange.answerIsOut` is told when that is done.
    func exchangeBroke(isWhole: Bool)
    /// The caller takes nothing of what waits for it: it is cut off.
    func exchangeGaveUp()

    /// The exchange takes bytes of the request (or raw ones) again.
    func requestMayFlow()
    /// Has `ServedExchange.checkTime` called, by then or before.
    func ring(by deadline: NIODeadline)
}

extension CallerStream {
    package var speaksHTTP: Bool { true }
}
