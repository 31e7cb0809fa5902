import Foundation
import Synchronization

/// Bytes of one response on their way from the thread that reads the tunnel to the one that answers the
/// caller.
final class OldPipe: @unchecked Sendable {
    /// Why there will be no more bytes.
    enum End: Error, Hashable {
        /// The response is over.
        case whole
        /// The tunnel's connection broke after some of the response.
        case broken
        /// There was no connection for it, or three that broke.
        case timedOut
        case callerLeft
        case shutdown
    }

    // Guarded by `condition`.
    private var bytes: [UInt8] = []
    private var end: End?
    private let condition = NSCondition()

    /// Adds bytes; nothing happens once it has ended.
    func put(_ more: [UInt8]) {
        condition.withLock {
            if end == nil { bytes += more }
            condition.broadcast()
        }
    }

    /// Ends it; the first end counts.
    func finish(_ end: End) {
        condition.withLock {
            if self.end == nil { self.end = end }
            condition.broadcast()
        }
    }

    /// Whether it ended, or was given up.
    var isOver: Bool { condition.withLock { end != nil } }

    /// Waits for bytes and takes all there are; in between asks whether to go on waiting.
    ///
    /// - Throws: `End`, when all bytes are taken.
    func take(deadline: Date, isCallerThere: () -> Bool) throws -> [UInt8] {
        while true {
            let found: Result<[UInt8], End>? = condition.withLock {
                if bytes.isEmpty && end == nil { _ = condition.wait(until: Date(timeIntervalSinceNow: 0.05)) }
                defer { bytes = [] }
                if !bytes.isEmpty { return .success(bytes) }
                if let end { return .failure(end) }
                return nil
            }
            if let found { return try found.get() }
            guard isCallerThere() else { throw End.callerLeft }
            guard Date() < deadline else { throw End.timedOut }
        }
    }
}

/// A request at an old server, from its arrival to its answer.
final class OldCall: Sendable {
    /// The request as it crosses the tunnel, without its id.
    let text: [UInt8]
    let method: String
    let pipe = OldPipe()
    private let failures = Mutex(0)

    init(text: [UInt8], method: String) {
        self.text = text
        self.method = method
    }

    /// Notes that a connection broke while it was sent, and gives how often that was.
    func failedTry() -> Int {
        failures.withLock { failures in
            failures += 1
            return failures
        }
    }
}
