import HTTPMessage

import struct NIOCore.ByteBuffer

extension MessageMachine {
    mutating func unblock(_ id: StreamID) {
        if blocker == id { blocker = nil }
    }

    /// The request or answer that we send has gone out.
    mutating func sendingEnded(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].hasSentEverything = true
        if streams.values[index].isDone { remove(id) }
    }

    mutating func receivingEnded(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].hasReceivedEverything = true
        if role == .opener { numbers.removeValue(forKey: streams.values[index].number) }
        if streams.values[index].isDone { remove(id) }
    }

    /// Ends a stream on our own account: its user is told, and the peer as far as there is a way.
    mutating func end(_ id: StreamID, _ code: ResetCode, _ reason: String) {
        guard streams[id] != nil else { return }
        events.append(.reset(id, code, reason: reason))
        reset(id, code, reason: reason)
    }

    /// Takes a stream out, in whatever state it is.
    mutating func remove(_ id: StreamID) {
        guard var stream = streams.removeValue(forKey: id) else { return }
        unblock(id)
        stream.outgoing.release(to: budget)
        if stream.isDone, stream.unread.count > 0, !stream.ignoresRest {
            unreadRests[id] = stream.unread
        } else {
            stream.unread.release(to: budget)
        }
        if sending?.id == id {
            // A message that has begun can only be ended short of what it promised.
            if !stream.hasSentEverything { sending?.isCut = true }
        } else if !stream.hasSentEverything {
            pending.removeAll { $0 == id }
        }
        release(stream.number, of: stream, id)
    }

    /// Frees a stream's number, unless the answer to it is still to come.
    private mutating func release(_ number: UInt16, of stream: MessageStream, _ id: StreamID) {
        guard numbers[number] == .some(.some(id)) else { return }
        if role == .opener, stream.outgoing.isOpen, incoming.number != number {
            numbers.updateValue(nil, forKey: number)
        } else {
            numbers.removeValue(forKey: number)
        }
    }

    /// Puts an answer of our own in the place of one that cannot be had.
    mutating func answerInstead(_ id: StreamID, _ status: Int, _ reason: String) {
        guard let old = streams[id] else { return }
        let budget = budget
        streams[id]?.outgoing.release(to: budget)
        let bytes = OwnAnswer(status, line: reason).encoded(toMethod: old.method, closing: false, date: nil)
        var answer = OutgoingMessage(limits: limits)
        answer.begin(head: bytes, isChunked: false, isWhole: true)
        streams[id]?.outgoing = answer
        streams[id]?.ignoresRest = true
        unblock(id)
        if !pending.contains(id) { pending.append(id) }
    }
}
