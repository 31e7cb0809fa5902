package import struct NIOCore.ByteBuffer

extension MessageMachine {
    package var hasSomethingToWrite: Bool {
        if isPingDue { return true }
        guard let sending else { return hasReady }
        return sending.isCut || hasSomething(in: sending.id)
    }

    package mutating func write(to payload: inout ByteBuffer, budget: Int) -> SessionOutput? {
        if isPingDue {
            isPingDue = false
            return .question
        }
        if sending?.isCut == true {
            sending = nil
            return .message(isFirst: false, isLast: true)
        }
        let isFirst = sending == nil
        guard let id = sending?.id ?? takeReady(), let index = streams.index(forKey: id) else { return nil }
        if isFirst {
            sending = SendingMessage(id: id, beganWhole: streams.values[index].outgoing.isWhole)
            sendHold = .toLive
            payload.writeString(RequestNumber.text(streams.values[index].number))
        }
        let before = payload.readableBytes
        if streams.values[index].outgoing.take(atMost: budget, into: &payload) {
            events.append(.writable(id))
        }
        streams.values[index].outgoing.releaseUnneeded(to: self.budget)
        let count = payload.readableBytes - before
        sendHold.moved(count)
        let isLast =
            streams.values[index].outgoing.isWhole && streams.values[index].outgoing.waiting.count == 0
        if isLast {
            if sending?.beganWhole == false { wholeTurns = pending.count { isWhole($0) } }
            sending = nil
            sendingEnded(id)
        }
        return isFirst || isLast || count > 0 ? .message(isFirst: isFirst, isLast: isLast) : nil
    }

    /// Whether a message has bytes to send, or its end.
    func hasSomething(in id: StreamID) -> Bool {
        guard let index = streams.index(forKey: id) else { return false }
        return streams.values[index].outgoing.waiting.count > 0 || streams.values[index].outgoing.isWhole
    }

    /// Whether a message may begin.
    var hasReady: Bool { pending.contains { isReady($0) } }

    /// A message that is whole never holds up others. One that is not gets the connection when it cannot be kept any
    /// longer; a live one also when it has waited for a while, or nobody else is there.
    ///
    /// No other answer begins in parts: the Go program takes one without a length that breaks off for whole.
    private func isReady(_ id: StreamID) -> Bool {
        guard let index = streams.index(forKey: id) else { return false }
        return streams.values[index].outgoing.isReady
            || streams.count == 1 && streams.values[index].outgoing.isLive
    }

    /// The first live answer that waits to begin.
    var firstLive: StreamID? {
        pending.first { streams.index(forKey: $0).map { streams.values[$0].outgoing.isLive } ?? false }
    }

    private func isWhole(_ id: StreamID) -> Bool {
        streams.index(forKey: id).map { streams.values[$0].outgoing.isWhole } ?? false
    }

    /// A message that takes no time: it is whole, and in memory.
    private func isSmall(_ id: StreamID) -> Bool {
        guard isWhole(id), let index = streams.index(forKey: id) else { return false }
        return streams.values[index].outgoing.waiting.count <= MessageLimits.smallMessage
    }

    /// First come, first served; but behind a message that took its time, those that take none go before the next such, and
    /// small ones before a large one that is whole: so many bytes of them for each large one, so that it has its turn.
    private mutating func takeReady() -> StreamID? {
        if wholeTurns > 0, let index = pending.firstIndex(where: { isWhole($0) }) {
            wholeTurns -= 1
            return pending.remove(at: index)
        }
        wholeTurns = 0
        guard let index = pending.firstIndex(where: { isReady($0) }) else { return nil }
        if isWhole(pending[index]), !isSmall(pending[index]) {
            if overtaken < MessageLimits.mostOvertaken,
                let small = pending[index...].firstIndex(where: { isSmall($0) })
            {
                let id = pending.remove(at: small)
                overtaken += streams[id]?.outgoing.waiting.count ?? 0
                return id
            }
            overtaken = 0
        }
        return pending.remove(at: index)
    }
}
