import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import TunnelProtocol
import TunnelTransport

// What comes out of the tunnel.
extension CallerExchange: StreamReceiver {
    func streamReceived(head bytes: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {
        guard case .attached(let session, _) = place else { return }
        if !isInterim, tellsSteps {
            record.note(.answered(sessionID: session, bytes: bytes.readableBytes))
        }
        do throws(HTTPMessageError) {
            let head = try ResponseHead(whole: bytes, limits: Self.headLimits)
            guard head.isInterim == isInterim else {
                throw HTTPMessageError(.malformed, "a head of another kind than it was said to be")
            }
            if isInterim {
                pass(interim: head)
            } else {
                try pass(consume head, isLast: isLast, originTime: originTime)
            }
        } catch {
            perform(machine.fail(.brokenAnswer))
        }
    }

    private func pass(interim head: ResponseHead) {
        let actions = machine.interimHeadCame(isWritable: stream.isWritable, now: eventLoop.now)
        guard case .pass = actions.caller else { return perform(actions) }
        var head = head
        Forwarding.rewrite(&head, at: .answerToCaller)
        stream.send(interim: head)
    }

    private func pass(
        _ head: consuming ResponseHead, isLast: Bool, originTime: UInt32?
    ) throws(HTTPMessageError) {
        guard head.status != 101 || upgrade.allows(head.fields) else {
            return perform(machine.fail(.unaskedUpgrade))
        }
        if forwarding == nil, head.status != 101 {
            return perform(machine.fail(head.status == 403 ? .noRawOrigin : .originFailed))
        }
        Forwarding.rewrite(&head, at: .answerToCaller)
        if let rewriting { rewriting.rewrite(response: &head.fields) }
        let length = try AnswerLength(settling: &head, toMethod: request.method, isLast: isLast)
        let now = eventLoop.now
        let actions = machine.headCame(length, isLast: isLast, now: now)
        guard case .pass = actions.caller else { return perform(actions) }
        record.responded(head.status, originTime: originTime, now: now)
        // From here on the two may take turns.
        bodyClock = nil
        guard !length.isRaw else {
            stream.send(switching: head)
            return checkTime()
        }
        if pass != nil { answerGoesOut(isLast: isLast || machine.isAnswerFilled) }
        stream.send(head, length, isLast: isLast)
        // A head alone takes nothing of what its session waits to hear of.
        if isLast { wrote(0, isLast: true) }
    }

    func streamReceived(data: ByteBuffer, isLast: Bool) {
        let count = data.readableBytes
        let actions = machine.dataCame(count, isLast: isLast, now: eventLoop.now)
        guard case .pass = actions.caller else { return perform(actions) }
        record.answerCame(count)
        if pass != nil {
            bytesPass(count)
            answerGoesOut(isLast: isLast || machine.isAnswerFilled)
        }
        stream.send(data, isLast: isLast)
        wrote(count, isLast: isLast)
        if pass != nil { endWhereOverdrawn() }
    }

    func streamReceived(trailers bytes: ByteBuffer) {
        let actions = machine.trailersCame()
        guard case .pass = actions.caller else { return perform(actions) }
        guard let trailers = try? HeaderFields(trailerLines: bytes) else {
            return perform(machine.fail(.brokenAnswer))
        }
        if pass != nil { answerGoesOut(isLast: true) }
        stream.send(trailers: trailers)
        wrote(0, isLast: true)
    }

    func streamWasReset(_ end: StreamTermination, reason: String) {
        perform(machine.streamWasReset(end, isServerOver: core.isOver))
    }

    func streamBecameWritable() {
        let actions = machine.streamBecameWritable()
        if bodyClock != nil { bodyMayGoOn() }
        perform(actions)
    }

    func streamReportsProgress() {
        guard case .attached = place, hold == nil else { return }
        perform(machine.callerTook(allBut: stream.waiting, now: eventLoop.now))
    }
}
