import Foundation

/// A path as long as one across an ocean: passes connections on to a port of 127.0.0.1, each piece as late as the
/// distance takes. The bandwidth is this machine's.
package final class LongPath: Sendable {
    private let relay: ScriptedOrigin
    package var port: Int { relay.port }

    /// - Parameters:
    ///   - target: the port that it leads to.
    ///   - delay: from one end to the other, one way.
    package init(to target: Int, delay: Duration) throws {
        relay = try ScriptedOrigin(limit: .seconds(3600)) { near in
            let far = try StreamSocket(port: target, limit: .seconds(3600))
            let (there, back) = (Line(from: near.socket, to: far), Line(from: far, to: near.socket))
            there.open(delay)
            back.open(delay)
            there.waitForEnd()
            back.waitForEnd()
            far.close()
        }
    }

    /// What is on its way in one direction.
    private final class Line: @unchecked Sendable {
        private let source: StreamSocket
        private let sink: StreamSocket
        private let ended = WaitableCounter()
        /// In bytes: 100 ms at 1 Gbit/s, and some.
        private static let most = 32 << 20
        private let condition = NSCondition()
        // Guarded by `condition`.
        private var pieces: [(bytes: [UInt8], due: ContinuousClock.Instant)] = []
        private var first = 0
        private var byteCount = 0
        private var isEnded = false

        init(from source: StreamSocket, to sink: StreamSocket) {
            self.source = source
            self.sink = sink
        }

        func open(_ delay: Duration) {
            Thread.detachNewThread { [self] in
                while let piece = try? source.readSome(), add(piece, due: .now + delay) {}
                end()
                ended.add(1)
            }
            Thread.detachNewThread { [self] in
                while let (piece, due) = next() {
                    let pause = ContinuousClock.now.duration(to: due) / .microseconds(1)
                    if pause > 0 { usleep(UInt32(pause)) }
                    guard (try? sink.write(piece)) != nil else { break }
                }
                end()
                // Whatever still waits at either end comes back.
                source.interrupt()
                sink.interrupt()
                ended.add(1)
            }
        }

        /// Waits until nothing is on its way any more: a descriptor that is closed under a thread may be another
        /// connection's by the time it looks.
        func waitForEnd() { try? ended.wait(for: 2, within: .seconds(3600), what: "a connection to end") }

        /// - Returns: false when nobody takes it any more.
        private func add(_ bytes: [UInt8], due: ContinuousClock.Instant) -> Bool {
            condition.withLock {
                while byteCount > Self.most, !isEnded { condition.wait() }
                guard !isEnded else { return false }
                pieces.append((bytes, due))
                byteCount += bytes.count
                condition.broadcast()
                return true
            }
        }

        private func next() -> (bytes: [UInt8], due: ContinuousClock.Instant)? {
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

        private func end() {
            condition.withLock {
                isEnded = true
                condition.broadcast()
            }
        }
    }
}
