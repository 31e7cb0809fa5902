import NIOCore
import TunnelProtocol

/// A stream whose session runs on another loop. Calls hop there and back in order; what is under way between the
/// loops is bounded like the session's own queue.
final class RemoteStreamPort: StreamPort {
    /// Bytes under way to the session's loop, from which on the sender waits, and down to which it waits.
    private static let highWater = 64 << 10
    private static let lowWater = 32 << 10

    private let session: NIOLoopBound<any Session>
    private let sessionLoop: any EventLoop
    private let callerLoop: any EventLoop
    private let farSide: FarSide
    private let nearSide: NIOLoopBoundBox<NearSide>

    /// What the caller's loop knows.
    struct NearSide {
        var receiver: (any StreamReceiver)?
        var bytesUnderWay = 0
        var senderWaits = false
        var isTaken = false
    }

    init(session: NIOLoopBound<any Session>, sessionLoop: any EventLoop, callerLoop: any EventLoop) {
        self.session = session
        self.sessionLoop = sessionLoop
        self.callerLoop = callerLoop
        self.nearSide = NIOLoopBoundBox(NearSide(), eventLoop: callerLoop)
        self.farSide = FarSide(
            nearSide: nearSide, callerLoop: callerLoop,
            state: .makeBoxSendingValue(.init(), eventLoop: sessionLoop))
    }

    func open(head: ByteBuffer, isLast: Bool, receiver: any StreamReceiver) {
        nearSide.value.receiver = receiver
        let (session, farSide) = (session, farSide)
        sessionLoop.execute { farSide.open(head, isLast, session.value) }
    }

    var isTaken: Bool { nearSide.value.isTaken }

    func send(_ bytes: ByteBuffer) -> Bool {
        nearSide.value.bytesUnderWay += bytes.readableBytes
        let (session, farSide) = (session, farSide)
        sessionLoop.execute { farSide.send(bytes, session.value) }
        let isFull = nearSide.value.bytesUnderWay >= Self.highWater
        nearSide.value.senderWaits = isFull
        return !isFull
    }

    func finish(trailers: ByteBuffer?) {
        onSessionLoop { id, session in session.finish(id, trailers: trailers) }
    }

    func reset(_ code: ResetCode, reason: String) {
        nearSide.value.receiver = nil
        onSessionLoop { id, session in session.reset(id, code, reason: reason) }
    }

    func consumed(_ count: Int) {
        onSessionLoop { id, session in session.consumed(id, count) }
    }

    func forget() {
        nearSide.value.receiver = nil
        onSessionLoop { id, session in session.forget(id) }
    }

    private func onSessionLoop(_ action: @escaping @Sendable (StreamID, any Session) -> Void) {
        let (session, farSide) = (session, farSide)
        sessionLoop.execute {
            if let id = farSide.id { action(id, session.value) }
        }
    }

    /// The session's receiver, on the session's loop: passes everything to the caller's loop.
    final class FarSide: StreamReceiver, Sendable {
        struct State {
            var id: StreamID?
            /// Bytes that the session took but would rather not have had yet.
            var bytesOwed = 0
        }

        private let nearSide: NIOLoopBoundBox<NearSide>
        private let callerLoop: any EventLoop
        private let state: NIOLoopBoundBox<State>

        init(
            nearSide: NIOLoopBoundBox<NearSide>, callerLoop: any EventLoop, state: NIOLoopBoundBox<State>
        ) {
            self.nearSide = nearSide
            self.callerLoop = callerLoop
            self.state = state
        }

        var id: StreamID? { state.value.id }

        func open(_ head: ByteBuffer, _ isLast: Bool, _ session: any Session) {
            state.value.id = session.open(head: head, isLast: isLast, receiver: self)
            guard state.value.id != nil else {
                streamWasReset(.refused, reason: "the session takes no streams")
                return
            }
            // Who has said everything waits for nothing.
            if !isLast { tellTaken() }
        }

        func send(_ bytes: ByteBuffer, _ session: any Session) {
            guard let id else { return }
            if session.send(id, bytes) {
                acknowledge(bytes.readableBytes)
            } else {
                state.value.bytesOwed += bytes.readableBytes
            }
        }

        func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {
            tell {
                $0.streamReceived(head: head, isInterim: isInterim, isLast: isLast, originTime: originTime)
            }
        }

        func streamReceived(data: ByteBuffer, isLast: Bool) {
            tell { $0.streamReceived(data: data, isLast: isLast) }
        }

        func streamReceived(trailers: ByteBuffer) {
            tell { $0.streamReceived(trailers: trailers) }
        }

        func streamWasReset(_ end: StreamTermination, reason: String) {
            tell { $0.streamWasReset(end, reason: reason) }
        }

        func streamBecameWritable() {
            let owed = state.value.bytesOwed
            state.value.bytesOwed = 0
            acknowledge(owed)
        }

        func streamReportsProgress() {
            tell { $0.streamReportsProgress() }
        }

        private func tellTaken() {
            let nearSide = nearSide
            callerLoop.execute {
                nearSide.value.isTaken = true
                nearSide.value.receiver?.streamBecameWritable()
            }
        }

        private func acknowledge(_ count: Int) {
            let nearSide = nearSide
            callerLoop.execute {
                nearSide.value.bytesUnderWay -= count
                guard nearSide.value.senderWaits, nearSide.value.bytesUnderWay <= RemoteStreamPort.lowWater
                else { return }
                nearSide.value.senderWaits = false
                nearSide.value.receiver?.streamBecameWritable()
            }
        }

        private func tell(_ action: @escaping @Sendable (any StreamReceiver) -> Void) {
            let nearSide = nearSide
            callerLoop.execute {
                if let receiver = nearSide.value.receiver { action(receiver) }
            }
        }
    }
}
