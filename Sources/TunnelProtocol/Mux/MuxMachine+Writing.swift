package import struct NIOCore.ByteBuffer

extension MuxMachine {
    /// What a stream writes in its turn at least, if it has that, in bytes: the frame's header is a hundredth of it.
    private static var shortestTurn: Int { 1 << 10 }

    /// Room that is made for a message before it is known what of that is written, in bytes.
    private static var mostRoomAhead: Int { 8 << 10 }

    /// Whether `write` would write something.
    package var hasSomethingToWrite: Bool { control.readableBytes > 0 || turns.count > 0 }

    /// Writes the payload of one message: heads and control frames first, then a turn for each stream that has
    /// data and credit, one after another, so that none waits for another's whole body.
    ///
    /// - Parameter budget: bytes after which no further frame begins: at most a head or a turn above it is written, and
    ///   never more than the longest message. A turn is half of it at most, so that those on a slow link are short.
    package mutating func write(to message: inout ByteBuffer, budget: Int) -> SessionOutput? {
        let start = message.readableBytes
        // Room for short answers at once: made frame by frame, it would be copied again and again. Where more waits, room is
        // made for the turns, once.
        let data = turns.count > 0 ? waitingBytes + turns.count * MuxFrame.headerBytes : 0
        let room = control.readableBytes + data
        if room <= Self.mostRoomAhead { message.reserveCapacity(minimumWritableBytes: room) }
        writeControl(to: &message, budget: budget)
        // A head that still waits must not be overtaken by its body.
        if control.readableBytes == 0 { writeData(to: &message, budget: budget) }
        return message.readableBytes > start ? .message(isFirst: true, isLast: true) : nil
    }

    private mutating func writeData(to message: inout ByteBuffer, budget: Int) {
        let turnBytes = min(limits.turnBytes, max(Self.shortestTurn, budget / 2))
        let longestTurn = 2 * MuxFrame.headerBytes + turnBytes + limits.maximumHeadBytes
        let end = max(1, min(budget, limits.maximumMessageBytes - longestTurn))
        while message.readableBytes < end, let id = nextScheduled() {
            let count = writeTurn(id, to: &message, atMost: turnBytes)
            // Where there is more to come, room is made once, not again and again as the message grows.
            if count == turnBytes, turns.count > 0, message.writableBytes < turnBytes {
                message.reserveCapacity(
                    minimumWritableBytes: end - message.readableBytes + MuxFrame.headerBytes + turnBytes)
            }
        }
    }

    private mutating func writeControl(to message: inout ByteBuffer, budget: Int) {
        let room = min(limits.maximumMessageBytes / 2, max(1, budget))
        if control.readableBytes <= room {
            message.writeBuffer(&control)
            control.clear(minimumCapacity: 0)
            answerBytes = 0
            giveBackControl()
            return
        }
        var length = 0
        while let word = control.getInteger(at: control.readerIndex + length, as: UInt32.self) {
            let next = length + MuxFrame.headerBytes + Int(word >> 12)
            guard next <= room || length == 0 else { break }
            length = next
        }
        if var frames = control.readSlice(length: length) { message.writeBuffer(&frames) }
        answerBytes = min(answerBytes, control.readableBytes)
        if control.readerIndex > control.readableBytes { control.discardReadBytes() }
    }

    /// One data frame of one stream, and its end if everything is sent.
    ///
    /// - Returns: how much data it was.
    private mutating func writeTurn(
        _ id: StreamID, to message: inout ByteBuffer, atMost turnBytes: Int
    ) -> Int {
        guard let index = streams.index(forKey: id), streams.values[index].hasSomethingToWrite else {
            return 0
        }
        let count = min(
            streams.values[index].waiting.count, streams.values[index].sendCredit, turnBytes)
        let isAll = count == streams.values[index].waiting.count
        var isLast = false
        var trailers: ByteBuffer?
        var resetFrame: MuxFrame?
        if isAll, let ending = streams.values[index].ending {
            switch ending {
            case .last: isLast = true
            case .trailers(let fields): trailers = fields
            case .reset(let code, let reason): resetFrame = .reset(id, code, reason: reason)
            }
        }
        if count > 0 || isLast {
            let header = MuxFrame.header(.data, isLast ? .last : [], stream: id, length: count)
            if streams.values[index].waiting.pieceCount > 1 {
                message.reserveCapacity(minimumWritableBytes: MuxFrame.headerBytes + count)
            }
            streams.values[index].waiting.take(atMost: count, behind: header, into: &message)
            streams.values[index].sendCredit -= count
            waitingBytes -= count
        }
        streams.values[index].roundEnd = turns.tookTurn(MuxFrame.headerBytes + count)
        if let resetFrame {
            message.writeMuxFrame(resetFrame)
            forget(id)
            _ = remove(id)
            return count
        }
        if let trailers {
            message.writeMuxFrame(.trailers(id, trailers))
            trailersGone(of: streams.values[index])
            streams.values[index].ending = .last
        }
        if streams.values[index].senderWaits, streams.values[index].waiting.count <= limits.sendLowWater {
            streams.values[index].senderWaits = false
            emit(.writable(id))
        }
        if isLast || trailers != nil {
            sendingEnded(id)
        } else {
            schedule(id)
        }
        return count
    }
}
