import Foundation

/// A line to a port of 127.0.0.1 on which each byte is under way for the same time, in each direction, and that carries
/// as many as come: what a long way does, without what a narrow one does.
package final class DelayLine: Sendable {
    private let relay: ScriptedOrigin
    package var port: Int { relay.port }

    package init(to port: Int, each delay: Duration) throws {
        relay = try ScriptedOrigin(limit: .seconds(600)) { near in
            let far = try StreamSocket(port: port, limit: .seconds(600))
            defer { far.close() }
            let upwards = DelayedBytes(from: near.socket, to: far, delay)
            let downwards = DelayedBytes(from: far, to: near.socket, delay)
            let ended = WaitableCounter()
            for body in [upwards.readAll, upwards.writeAll, downwards.readAll, downwards.writeAll] {
                Thread.detachNewThread {
                    body()
                    ended.add(1)
                }
            }
            try ended.wait(for: 4, within: .seconds(3600), what: "the ends of a line")
        }
    }
}

/// One direction of a line: a ring of bytes, and until when each piece of them is under way.
private final class DelayedBytes: @unchecked Sendable {
    private struct Piece {
        /// 0 for the end.
        var count: Int
        let due: ContinuousClock.Instant
    }

    private let source: StreamSocket
    private let destination: StreamSocket
    private let delay: Duration
    /// As much as is under way at 160 MB/s and 100 ms.
    private let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 24, alignment: 16)
    // Guarded by `condition`; of the ring, who reads and who writes each touch their own part.
    private var pieces: [Piece] = []
    private var first = 0
    private var begin = 0
    private var count = 0
    private var isCut = false
    private let condition = NSCondition()

    init(from source: StreamSocket, to destination: StreamSocket, _ delay: Duration) {
        self.source = source
        self.destination = destination
        self.delay = delay
    }

    deinit { space.deallocate() }

    @Sendable func readAll() {
        while let free = waitForSpace() {
            var received = 0
            repeat {
                received = recv(source.descriptor, free.baseAddress, free.count, 0)
            } while received < 0 && errno == EINTR
            guard received >= 0 else { return cut() }
            condition.withLock {
                count += received
                pieces.append(Piece(count: received, due: .now + delay))
                condition.broadcast()
            }
            if received == 0 { return }
        }
    }

    private func waitForSpace() -> UnsafeMutableRawBufferPointer? {
        condition.withLock {
            while count == space.count && !isCut { condition.wait() }
            if isCut { return nil }
            // From the start again, while nothing lies there: less memory is touched.
            if count == 0 { begin = 0 }
            let end = begin + count
            let free = end < space.count ? end..<space.count : end - space.count..<begin
            return UnsafeMutableRawBufferPointer(
                rebasing: space[free.lowerBound..<min(free.upperBound, free.lowerBound + 1 << 18)])
        }
    }

    @Sendable func writeAll() {
        while let bytes = waitForBytes() {
            if bytes.isEmpty { return destination.finishWriting() }
            var sent = 0
            repeat {
                sent = send(destination.descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            } while sent < 0 && errno == EINTR
            guard sent > 0 else { return cut() }
            consume(sent)
        }
    }

    /// The next bytes whose time has come; none at the end.
    private func waitForBytes() -> UnsafeRawBufferPointer? {
        condition.withLock {
            while first == pieces.count && !isCut { condition.wait() }
            if isCut { return nil }
            let rest = pieces[first].due - .now
            if rest > .zero {
                condition.unlock()
                // The time that they take on the line.
                usleep(UInt32(rest.inSeconds * 1e6) + 1)
                condition.lock()
            }
            if pieces[first].count == 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
            let now = ContinuousClock.now
            var length = 0
            for piece in pieces[first...] {
                guard piece.due <= now else { break }
                length += piece.count
            }
            let last = min(begin + max(length, 1), space.count)
            return UnsafeRawBufferPointer(rebasing: space[begin..<last])
        }
    }

    private func consume(_ sent: Int) {
        condition.withLock {
            begin = (begin + sent) % space.count
            count -= sent
            var rest = sent
            while rest > 0 {
                let part = min(rest, pieces[first].count)
                pieces[first].count -= part
                rest -= part
                if pieces[first].count == 0 { first += 1 }
            }
            if first == pieces.count || first > 1000 {
                pieces.removeFirst(first)
                first = 0
            }
            condition.broadcast()
        }
    }

    private func cut() {
        condition.withLock {
            isCut = true
            condition.broadcast()
        }
        source.cut()
        destination.cut()
    }
}
