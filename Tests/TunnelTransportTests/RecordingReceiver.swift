import Foundation
import NIOCore
import TestSupport
import TunnelProtocol
import TunnelTransport

/// Notes what a stream's receiver is told; can be asked and waited for from any thread.
final class RecordingReceiver: StreamReceiver, @unchecked Sendable {
    enum Event: Equatable {
        case head(String, isInterim: Bool, isLast: Bool)
        case trailers(String)
        case end
        case reset(StreamTermination, String)
        case writable
    }

    // Guarded by `condition`.
    private var recorded: [Event] = []
    private var body: [UInt8] = []
    private let condition = NSCondition()
    private let onData: @Sendable (Int) -> Void
    private let onWritable: @Sendable () -> Void

    /// - Parameters:
    ///   - onData: what to do when so many bytes of a body came, on the loop on which they did.
    ///   - onWritable: what to do when sending may go on.
    init(
        onData: @escaping @Sendable (Int) -> Void = { _ in },
        onWritable: @escaping @Sendable () -> Void = {}
    ) {
        self.onData = onData
        self.onWritable = onWritable
    }

    /// Everything but the bodies' bytes, in order.
    var events: [Event] { condition.withLock { recorded } }
    /// The body so far.
    var received: [UInt8] { condition.withLock { body } }
    var text: String { String(decoding: received, as: UTF8.self) }

    /// Waits until what was told so far fits.
    func wait(for what: String, _ isThere: ([Event], [UInt8]) -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 30)
        try condition.withLock {
            while !isThere(recorded, body) {
                guard condition.wait(until: deadline) else {
                    throw TestFailure("waited for \(what): \(recorded), \(body.count) bytes")
                }
            }
        }
    }

    func waitForEvents(_ count: Int) throws {
        try wait(for: "\(count) events") { events, _ in events.count >= count }
    }

    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {
        note(.head(String(buffer: head), isInterim: isInterim, isLast: isLast))
    }

    func streamReceived(data: ByteBuffer, isLast: Bool) {
        condition.withLock {
            body += data.readableBytesView
            condition.broadcast()
        }
        onData(data.readableBytes)
        if isLast { note(.end) }
    }

    func streamReceived(trailers: ByteBuffer) { note(.trailers(String(buffer: trailers))) }

    func streamWasReset(_ end: StreamTermination, reason: String) { note(.reset(end, reason)) }

    func streamBecameWritable() {
        note(.writable)
        onWritable()
    }

    private func note(_ event: Event) {
        condition.withLock {
            recorded.append(event)
            condition.broadcast()
        }
    }
}

/// Notes what a session's owner is told.
final class RecordingOwner: SessionOwner, @unchecked Sendable {
    enum Event: Equatable {
        case ready(tunnelName: String)
        case opened(StreamID, String, isLast: Bool)
        case peerDrains(String)
        case occupied(Bool)
        case ended(SessionEnd)
    }

    // Guarded by `condition`.
    private var recorded: [Event] = []
    private var answers = 0
    private let condition = NSCondition()
    private let onOpened: @Sendable (any Session, StreamID) -> Void

    /// - Parameter onOpened: takes a stream that the peer opened, on the session's loop.
    init(onOpened: @escaping @Sendable (any Session, StreamID) -> Void = { _, _ in }) {
        self.onOpened = onOpened
    }

    var events: [Event] { condition.withLock { recorded } }
    /// How the session ended, each time that was told.
    var ends: [SessionEnd] {
        events.compactMap { if case .ended(let end) = $0 { end } else { nil } }
    }

    /// How often the peer answered a ping.
    var answerCount: Int { condition.withLock { answers } }

    func wait(for what: String, _ isThere: ([Event]) -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 30)
        try condition.withLock {
            while !isThere(recorded) {
                guard condition.wait(until: deadline) else {
                    throw TestFailure("waited for \(what): \(recorded)")
                }
            }
        }
    }

    func sessionReady(_ session: any Session, peer: SessionSettings) {
        note(.ready(tunnelName: peer.tunnelName))
    }

    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {
        note(.opened(id, String(buffer: head), isLast: isLast))
        onOpened(session, id)
    }

    func sessionPeerDrains(_ session: any Session, reason: String) { note(.peerDrains(reason)) }

    func session(_ session: any Session, becameOccupied isOccupied: Bool) { note(.occupied(isOccupied)) }
    func sessionWasAnswered(_ session: any Session) { condition.withLock { answers += 1 } }

    func sessionEnded(_ session: any Session, _ end: SessionEnd) { note(.ended(end)) }

    private func note(_ event: Event) {
        condition.withLock {
            recorded.append(event)
            condition.broadcast()
        }
    }
}
