extension MuxMachine {
    mutating func emit(_ event: SessionEvent) { events.append(event) }

    /// Puts a stream in the queue of those that have something to write, if it has.
    mutating func schedule(_ id: StreamID) {
        guard let index = streams.index(forKey: id), !streams.values[index].isScheduled,
            streams.values[index].hasSomethingToWrite
        else { return }
        streams.values[index].isScheduled = true
        turns.append(id, roundEnd: streams.values[index].roundEnd)
    }

    /// Takes the next stream off that queue; those that ended meanwhile are passed over.
    mutating func nextScheduled() -> StreamID? {
        while let id = turns.next() {
            guard let index = streams.index(forKey: id) else { continue }
            streams.values[index].isScheduled = false
            turns.left()
            return id
        }
        return nil
    }

    mutating func sendingEnded(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].hasSentEverything = true
        if streams.values[index].ignoresRest, !streams.values[index].hasReceivedEverything {
            reset(id, .noError)
        } else if streams.values[index].isDone {
            removeDone(id)
        }
    }

    mutating func receivingEnded(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].hasReceivedEverything = true
        if streams.values[index].isDone { removeDone(id) }
    }

    /// Takes out a stream that ended well. What its window drew is given back when the reader took what came.
    private mutating func removeDone(_ id: StreamID) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        if stream.isScheduled { turns.left() }
        if stream.receiveWindow.unread > 0, !stream.ignoresRest {
            unreadWindows[id] = stream.receiveWindow
        } else {
            stream.receiveWindow.release(to: budget)
        }
    }

    /// Takes a stream out, in whatever state it is, and gives back what its window drew.
    mutating func remove(_ id: StreamID) -> MuxStream? {
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        if stream.isScheduled { turns.left() }
        stream.receiveWindow.release(to: budget)
        return stream
    }
}
