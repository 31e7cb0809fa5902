import Foundation
import TestSupport

/// A path as long as one across an ocean: passes connections on to a port of this machine, each piece as late as the
/// distance takes. The bandwidth is this machine's.
final class DelayRelay: Sendable {
    let port: Int
    private let socket: HeldSocket

    /// - Parameters:
    ///   - target: the port that it leads to.
    ///   - delay: from one end to the other, one way.
    init(to target: Int, delay: Duration) throws {
        let socket = try HeldSocket()
        self.socket = socket
        port = socket.port
        RawStream.accept(from: socket) { near in
            guard let far = try? RawStream(port: target) else { return near.close() }
            Self.join(near, far, delay)
        }
    }

    deinit { shutdown(socket.descriptor, Int32(SHUT_RDWR)) }

    private static func join(_ near: RawStream, _ far: RawStream, _ delay: Duration) {
        let ended = WaitableCounter()
        for (from, to) in [(near, far), (far, near)] {
            let line = Line()
            Thread.detachNewThread {
                while let piece = from.readAnything(), line.add(piece, due: .now + delay) {}
                line.end()
                ended.add(1)
            }
            Thread.detachNewThread {
                while let (piece, due) = line.next() {
                    let pause = ContinuousClock.now.duration(to: due) / .microseconds(1)
                    if pause > 0 { usleep(UInt32(pause)) }
                    guard (try? to.write(piece)) != nil else { break }
                }
                line.end()
                from.interrupt()
                to.interrupt()
                ended.add(1)
            }
        }
        Thread.detachNewThread {
            // A descriptor that is closed under a thread may be another connection's by the time it looks.
            try? ended.wait(for: 4, within: .seconds(3600), what: "a relayed connection to end")
            near.close()
            far.close()
        }
    }

    /// What is on its way in one direction.
    private final class Line: @unchecked Sendable {
        /// In bytes: 100 ms at 1 Gbit/s, and some.
        private static let most = 32 << 20
        private let condition = NSCondition()
        // Guarded by `condition`.
        private var pieces: [(bytes: [UInt8], due: ContinuousClock.Instant)] = []
        private var first = 0
        private var byteCount = 0
        private var isEnded = false

        /// - Returns: false when nobody takes it any more.
        func add(_ bytes: [UInt8], due: ContinuousClock.Instant) -> Bool {
            condition.withLock {
                while byteCount > Self.most, !isEnded { condition.wait() }
                guard !isEnded else { return false }
                pieces.append((bytes, due))
                byteCount += bytes.count
                condition.broadcast()
                return true
            }
        }

        func next() -> (bytes: [UInt8], due: ContinuousClock.Instant)? {
            condition.withLock {
                while first == pieces.count, !isEnded { condition.wait() }
                guard first < pieces.count else { return nil }
                defer {
                    first += 1
                    if first == pieces.count { (pieces, first) = ([], 0) }
                }
                byteCount -= pieces[first].bytes.count
                condition.broadcast()
                return pieces[first]
            }
        }

        func end() {
            condition.withLock {
                isEnded = true
                condition.broadcast()
            }
        }
    }
}
