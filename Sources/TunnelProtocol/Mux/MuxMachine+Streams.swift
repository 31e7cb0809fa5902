import struct NIOCore.ByteBuffer

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

    /// - Parameter index: where the stream is.
    mutating func receivingEnded(_ id: StreamID, at index: Int) {
        streams.values[index].hasReceivedEverything = true
        promised -= streams.values[index].receiveWindow.promised
        streams.values[index].receiveWindow.end(to: budget)
        if streams.values[index].isDone { removeDone(id) }
    }

    /// Takes out a stream that ended well. What its window drew is given back when the reader took what came.
    private mutating func removeDone(_ id: StreamID) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        if stream.isScheduled { turns.left() }
        if stream.receiveWindow.hasBorrowed, stream.receiveWindow.unread > 0, !stream.ignoresRest {
            unreadWindows[id] = stream.receiveWindow
        } else {
            release(stream.receiveWindow)
        }
        waitingBytes -= stream.waiting.count
    }

    /// Takes a stream out, in whatever state it is, and gives back what its window drew.
    mutating func remove(_ id: StreamID) -> MuxStream? {
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        if stream.isScheduled { turns.left() }
        release(stream.receiveWindow)
        waitingBytes -= stream.waiting.count
        trailersGone(of: stream)
        return stream
    }

    private mutating func release(_ window: ReceiveWindow) {
        promised -= window.promised
        window.release(to: budget)
    }

    // MARK: Memory

    /// Whether so many bytes of heads and control frames may wait: a few always, more out of the budget. Where these
    /// wait the peer does not read, or much more slowly than it asks.
    @inline(__always)
    mutating func mayKeep(_ bytes: Int) -> Bool {
        bytes <= min(limits.freeControlBytes, limits.maximumControlBytes) || mayBorrow(bytes)
    }

    private mutating func mayBorrow(_ bytes: Int) -> Bool {
        guard bytes <= limits.maximumControlBytes else { return false }
        while bytes > limits.freeControlBytes + controlBorrowed {
            guard budget.take(limits.freeControlBytes) else { return false }
            controlBorrowed += limits.freeControlBytes
        }
        return true
    }

    /// Keeps trailers behind the data of their stream: a few always, more out of the budget. Their sender cannot be held
    /// back any more.
    ///
    /// - Returns: false where there is no room for them.
    mutating func keepsTrailers(_ bytes: Int) -> Bool {
        let missing = trailerBytes - limits.freeControlBytes - trailersBorrowed
        if missing > 0 {
            guard budget.take(missing) else { return false }
            trailersBorrowed += missing
        }
        trailerBytes += bytes
        return true
    }

    /// The trailers of this stream, if there are any, wait no more.
    mutating func trailersGone(of stream: MuxStream) {
        guard case .trailers(let fields) = stream.ending else { return }
        trailerBytes -= fields.readableBytes
        let unneeded = trailersBorrowed - max(0, trailerBytes - limits.freeControlBytes)
        guard unneeded > 0 else { return }
        budget.giveBack(unneeded)
        trailersBorrowed -= unneeded
    }

    /// Data waiting in a stream, from which on its sender is asked to wait: less where much waits in all of them, or of the
    /// process, because their readers do not read.
    var sendHighWater: Int {
        if budget.isShort { return limits.leastSendHighWater }
        return min(
            limits.sendHighWater,
            max(limits.leastSendHighWater, (limits.maximumWaiting - waitingBytes) / 8))
    }

    /// None of them waits any more.
    mutating func giveBackControl() {
        if controlBorrowed > 0 { budget.giveBack(controlBorrowed) }
        controlBorrowed = 0
    }

    /// Widens the window of a new stream while few wait for their first bytes: many that wait, for hours maybe, must not
    /// use up the budget.
    ///
    /// - Returns: by how much.
    mutating func promise(_ window: inout ReceiveWindow) -> Int {
        let wanted = limits.initialWindow - limits.leastWindow(of: role)
        let possible = min(wanted, (limits.maximumPromised - promised) / 8)
        // Less would not be worth a frame.
        guard possible >= limits.leastBurst else { return 0 }
        let extra = window.promise(possible, budget: budget)
        promised += extra
        return extra
    }

    /// Much of a body came at once, and there is more to come: now its window is worth its memory. A stream that says
    /// a little now and then, as of events, may be quiet for hours.
    mutating func bodyFlows(_ id: StreamID, at index: Int, now: MonotonicInstant) {
        promised -= streams.values[index].receiveWindow.promised
        streams.values[index].receiveWindow.begin(budget: budget, now: now)
        var grant = streams.values[index].receiveWindow.widen(
            to: limits.initialWindow, budget: budget, now: now)
        if grant == 0 {
            grant = streams.values[index].receiveWindow.widen(
                to: limits.minimumWindow, budget: budget, now: now)
        }
        if grant > 0 { answer(.window(id, grant)) }
    }
}
