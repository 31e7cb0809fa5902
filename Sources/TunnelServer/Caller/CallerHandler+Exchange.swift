import HTTPMessage
import NIOCore

/// The answer to the request under way, and what becomes of the connection with it.
extension CallerHandler: CallerStream {
    var eventLoop: any EventLoop { core.loops[loopIndex] }
    var isWritable: Bool { output?.isWritable ?? false }
    var waiting: Int { output?.waiting ?? 0 }
    var undelivered: Int { output?.undelivered ?? 0 }

    func send(interim head: ResponseHead) {
        guard let output, let bytes = http?.interim(head) else { return }
        output.write(bytes)
        output.flushSoon()
    }

    func send(_ head: ResponseHead, _ length: AnswerLength, isLast: Bool) {
        guard let output, let bytes = http?.begin(head, length, isLeaving: isLeaving, date: output.date.text)
        else { return }
        output.write(bytes)
        if isLast { output.flushNow() } else { output.flushSoon() }
    }

    func send(switching head: ResponseHead, to upgrade: String) {
        guard case .exchange(let exchange) = phase, let output,
            let bytes = http?.switchProtocols(head, to: upgrade)
        else { return }
        output.write(bytes)
        output.flushNow()
        phase = .raw(exchange)
        output.allowHalfClosure()
        advance()
    }

    func send(_ data: ByteBuffer, isLast: Bool) {
        guard let output else { return }
        http?.write(data, isLast: isLast) { output.write($0) }
        if isLast { output.flushNow() } else { output.flushSoon() }
    }

    func send(trailers: HeaderFields) {
        guard let output else { return }
        http?.writeEnd(trailers: trailers) { output.write($0) }
        output.flushNow()
    }

    func answer(_ refusal: Refusal, closes: Bool) -> Int {
        guard let output,
            let answer = http?.answer(refusal, isLeaving: closes || isLeaving, date: output.date.text)
        else { return 0 }
        output.write(answer.bytes)
        output.flushNow()
        return answer.bodyBytes
    }

    func endRawOutput() {
        hasOutputEnded = true
        output?.shutDownOnceSent()
    }

    func exchangeEnded() {
        guard let http, context != nil else { return exchangeOutlivedConnection() }
        if case .raw = phase { return sayFarewell(.close, isDelimited: http.isDelimited) }
        // One that leaves, and had promised to stay before it knew, takes the request that this brings.
        guard http.keepAlive else { return sayFarewell(.linger, isDelimited: http.isDelimited) }
        staysAWhile()
        if http.isRequestWhole { waitForNext() } else { takeRest() }
        advance()
    }

    func exchangeBroke(isWhole: Bool) {
        let exchange = phase.currentExchange
        guard let http, context != nil else {
            exchangeOutlivedConnection()
            exchange?.answerIsOut(missing: 0)
            return
        }
        brokenExchange = exchange
        sayFarewell(isWhole || http.isDelimited ? .linger : .reset, isDelimited: http.isDelimited)
    }

    func exchangeGaveUp() {
        phase = .over
        output?.reset()
    }

    /// It took the caller's last bytes after the connection was closed in both directions; see `end`.
    private func exchangeOutlivedConnection() { phase = .over }

    func requestMayFlow() { advance() }

    func ring(by deadline: NIODeadline) { watch(until: deadline) }
}
