package import NIOCore
package import TunnelProtocol

// What the users of streams ask of a session, on its event loop.
extension MachineSession {
    package func tell(_ rulings: [HostRuling]) {
        guard state < .over else { return }
        machine.tell(rulings)
        scheduleFlush()
    }

    package func giveBackMemory() {
        if machine.streamCount == 0, !isHeld { carrier?.giveBackMemory() }
    }

    package func open(head: ByteBuffer, isLast: Bool, receiver: any StreamReceiver) -> StreamID? {
        guard state < .over else { return nil }
        // Also when it is not opened: the session may have decided to leave.
        defer { scheduleFlush() }
        guard let id = machine.open(head: head, isLast: isLast, now: now) else { return nil }
        receivers[id] = receiver
        return id
    }

    package func accept(_ id: StreamID, receiver: any StreamReceiver) {
        receivers[id] = receiver
    }

    package func respond(
        _ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?
    ) {
        machine.respond(id, head: head, isInterim: isInterim, isLast: isLast, originTime: originTime)
        scheduleFlush()
    }

    package func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool {
        if let goesOn = spilling?.send(id, bytes) { return goesOn }
        let goesOn = machine.send(id, bytes)
        scheduleFlush()
        return goesOn
    }

    package func finish(_ id: StreamID, trailers: ByteBuffer?) {
        if spilling?.finish(id, trailers: trailers) == true { return }
        machine.finish(id, trailers: trailers)
        scheduleFlush()
    }

    package func ignoreRest(_ id: StreamID) {
        receivers.removeValue(forKey: id)
        spilling?.readerLetGo(of: id)
        machine.ignoreRest(id)
        scheduleFlush()
    }

    package func breakOff(_ id: StreamID, _ code: ResetCode, reason: String) {
        receivers.removeValue(forKey: id)
        spilling?.readerLetGo(of: id)
        spilling?.senderLetGo(of: id)
        machine.breakOff(id, code, reason: reason)
        scheduleFlush()
    }

    package func reset(_ id: StreamID, _ code: ResetCode, reason: String) {
        receivers.removeValue(forKey: id)
        spilling?.readerLetGo(of: id)
        spilling?.senderLetGo(of: id)
        machine.reset(id, code, reason: reason)
        scheduleFlush()
    }

    package func forget(_ id: StreamID) {
        receivers.removeValue(forKey: id)
        spilling?.readerLetGo(of: id)
        machine.forget(id)
    }

    package func consumed(_ id: StreamID, _ count: Int) {
        let count = spilling?.consumed(id, count) ?? count
        guard count > 0 else { return }
        machine.consumed(id, count, now: now)
        if !awaitsFlush, isHeld || machine.hasSomethingToWrite { scheduleFlush() }
    }

    /// So many bytes of what came on a stream lie in a file now.
    func liesOutside(_ id: StreamID, _ count: Int) {
        machine.consumed(id, count, now: now)
        if isHeld { scheduleFlush() }
    }
}
