package import HTTPMessage
package import NIOCore

// The exchange under way.
extension CallerHandler: CallerStream {
    package var isWholeConnection: Bool { true }
    package var isWritable: Bool { output?.isWritable ?? false }
    package var waiting: Int { output?.waiting ?? 0 }
    package var undelivered: Int { output?.undelivered ?? 0 }

    package func send(interim head: ResponseHead) {
        guard let output, let bytes = machine.http?.interim(head) else { return }
        output.write(bytes)
        output.flushSoon()
    }

    package func send(_ head: consuming ResponseHead, _ length: AnswerLength, isLast: Bool) {
        let isLeaving = isLeaving
        guard let output,
            let bytes = machine.http?.begin(head, length, isLeaving: isLeaving, date: date.text)
        else { return }
        write(bytes, to: output, isLast: isLast)
    }

    package func send(switching head: consuming ResponseHead) {
        guard let output, let bytes = machine.http?.switchProtocols(head) else { return }
        write(bytes, to: output, isLast: true)
        machine.switchedProtocols()
        output.allowHalfClosure()
        workOff()
    }

    package func send(_ data: ByteBuffer, isLast: Bool) {
        guard let output else { return }
        machine.bodyEncoder()?.write(data, isLast: isLast) { output.write($0) }
        if isLast { output.flushNow() } else { output.flushSoon() }
    }

    package func send(trailers: HeaderFields) {
        guard let output else { return }
        machine.bodyEncoder()?.writeEnd(trailers: trailers) { output.write($0) }
        output.flushNow()
    }

    package func send(_ answer: OwnAnswer, closes: Bool) {
        let isLast = closes || isLeaving
        guard let output,
            let bytes = machine.http?.encode(answer, isLeaving: isLast, date: date.text)
        else { return }
        write(bytes, to: output, isLast: true)
    }

    private func write(_ bytes: ByteBuffer, to output: CallerOutput, isLast: Bool) {
        output.write(bytes)
        if isLast { output.flushNow() } else { output.flushSoon() }
    }

    package func endRawOutput() {
        machine.outputEnded()
        output?.shutDownOnceSent()
    }

    package func exchangeEnded() {
        guard context != nil, let end = machine.answerEnd() else { return machine.ended() }
        if let farewell = end.farewell { return sayFarewell(farewell, isDelimited: end.isDelimited) }
        watch(
            until: machine.goesOn(
                isStopping: reception.isStopping, isShed: reception.keepsNoConnections, now: eventLoop.now))
        workOff()
    }

    package func exchangeBroke(isWhole: Bool) {
        guard let http = machine.http, context != nil else {
            let exchange = machine.current
            machine.ended()
            exchange?.answerIsOut(missing: 0)
            return
        }
        sayFarewell(
            isWhole || http.isDelimited ? .linger : .reset, isDelimited: http.isDelimited, isBroken: true)
    }

    package func exchangeGaveUp() {
        machine.ended()
        output?.reset()
    }

    package func requestMayFlow() { workOff() }

    package func ring(by deadline: NIODeadline) { watch(until: deadline) }
}
