import NIOCore
import TunnelProtocol

/// What comes, in shares of the turns of the event loop.
extension SessionHandler: TurnTaker {
    /// What an event costs beyond its frame: somebody does something with it.
    private static let eventWork = 12
    /// Bytes that one read takes, as more and more come. By default it is 64 KiB, a frame at most, and most frames would be
    /// handed on in two pieces.
    static let readSizes = AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 2048, maximum: 128 << 10)
    /// The same from a peer whose bytes take more than a share of a turn: what of them waits here is little.
    private static let littleReadSizes = AdaptiveRecvByteBufferAllocator(
        minimum: 64, initial: 2048, maximum: 16 << 10)

    /// Something has come, or what came may be taken again.
    func process() {
        let now = MonotonicInstant.now
        pulse.beat(now)
        guard let turns else { return }
        guard !isInLine else { return machine.heard(now: now) }
        take(turns.share, of: turns, now: now)
        if readsLittle, !isInLine { read(little: false) }
    }

    package func haveTurn(_ share: Int) {
        guard isInLine, !isOver, let turns else { return }
        isInLine = false
        isReading = true
        take(share, of: turns, now: .now)
        isReading = false
        readOnIfHeld()
        flush()
    }

    /// The peer is gone; what came before, and waited for a slow reader or for a turn, is still given out: it may end a
    /// whole answer.
    func takeRest() {
        guard isHeld, !isOver, let turns else { return }
        machine.stopBlocking()
        isInLine = false
        take(.max, of: turns, now: .now)
    }

    /// Goes on with what came and was not taken, once that is possible.
    func resumeReading() {
        guard isHeld, !isInLine, !machine.isBlocked else { return }
        process()
        readOnIfHeld()
    }

    func dispatchEvents(now: MonotonicInstant, work: inout Int) throws {
        while !isOver, let event = try machine.nextEvent(now: now, work: &work) {
            work -= Self.eventWork
            dispatch(event)
        }
    }

    private func take(_ share: Int, of turns: LoopTurns, now: MonotonicInstant) {
        var work = share
        // What is asked of the session meanwhile must not take what comes behind this.
        isHeld = false
        do {
            while !isOver, !machine.isBlocked, try takeNext(now: now, work: &work) {}
        } catch let error as WebSocketError {
            end(.peerMisbehaved("\(error)"), closing: error.closeCode)
        } catch {
            end(.peerMisbehaved("\(error)"), closing: .protocolError)
        }
        answerPing()
        turns.spend(share - work)
        if !isOver, work <= 0, messagePiece != nil || input.readableBytes > 0 { standInLine(of: turns) }
        isHeld = !isOver && (isInLine || machine.isBlocked)
        if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
    }

    /// - Returns: whether there may be more to do.
    private func takeNext(now: MonotonicInstant, work: inout Int) throws -> Bool {
        if let messagePiece {
            let answeredPings = machine.answeredPings
            try dispatchEvents(now: now, work: &work)
            if machine.answeredPings != answeredPings { owner?.sessionWasAnswered(self) }
            guard work > 0 else { return false }
            self.messagePiece = nil
            guard messagePiece.isLast, !isOver else { return true }
            try machine.messageEnded()
            try dispatchEvents(now: now, work: &work)
            return true
        }
        guard work > 0, let event = try frames.next(&input) else { return false }
        work -= 1
        switch event {
        case .message where hasSaidGoodbye, .ping where hasSaidGoodbye:
            break
        case .message(let piece, let isLast):
            machine.receive(piece, now: now)
            messagePiece = MessagePiece(isLast: isLast)
        case .ping(let payload):
            machine.heard(now: now)
            lastPing = payload
        case .pong:
            machine.heard(now: now)
            work -= Self.eventWork
            owner?.sessionWasAnswered(self)
        case .close(WebSocketCloseCode.drained.rawValue) where masks == nil:
            end(.drained, closing: .normal, isUntouched: true)
        case .close(let code):
            end(
                (machine.isDraining || machine.isPeerDraining) && machine.streamCount == 0
                    ? .drained : .closedByPeer(code: code),
                closing: .normal)
        }
        return true
    }

    /// Answers the last ping of those that came together, and no other: none of them must be (RFC 6455 §5.5.3), and each
    /// answer is a system call. A peer that pings and does not read would make us keep the answers: it gets none.
    private func answerPing() {
        guard let payload = lastPing.take(), !isOver, context?.channel.isWritable == true else { return }
        write { $0.writeWebSocketPong(payload, mask: $1) }
    }

    private func standInLine(of turns: LoopTurns) {
        isInLine = true
        turns.wait(self)
        if !readsLittle { read(little: true) }
    }

    private func read(little: Bool) {
        readsLittle = little
        try? context?.channel.syncOptions?.setOption(
            .recvAllocator, value: little ? Self.littleReadSizes : Self.readSizes)
    }

    private func readOnIfHeld() {
        guard !isHeld, isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }
}
