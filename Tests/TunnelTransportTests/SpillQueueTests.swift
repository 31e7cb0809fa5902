import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import TunnelTransport

/// Bytes that wait in a file.
@Suite(.timeLimit(.minutes(1))) struct SpillQueueTests {
    /// Notes what a queue says; can be waited for from any thread.
    private final class User: SpillQueueUser, @unchecked Sendable {
        // Guarded by `condition`.
        private var bytes: [UInt8] = []
        private var took = 0
        private var isFull = false
        private var mostAhead = 0
        private var failures: [(String, Bool)] = []
        private let condition = NSCondition()

        var delivered: [UInt8] { condition.withLock { bytes } }
        var failure: (reason: String, isLost: Bool)? { condition.withLock { failures.first } }

        /// By how much, at most, was more said to be taken than there had been delivered.
        var aheadOfDelivery: Int { condition.withLock { mostAhead } }

        func spillTook(_ count: Int) {
            note {
                took += count
                mostAhead = max(mostAhead, took - bytes.count)
            }
        }
        func spillDelivers(_ bytes: ByteBuffer) { note { self.bytes += bytes.readableBytesView } }
        func spillIsFull() { note { isFull = true } }
        func spillFailed(_ reason: String, isLost: Bool) { note { failures.append((reason, isLost)) } }

        private func note(_ change: () -> Void) {
            condition.withLock {
                change()
                condition.broadcast()
            }
        }

        func wait(_ what: String, _ isThere: (_ delivered: Int, _ took: Int, _ isFull: Bool) -> Bool) throws {
            let deadline = Date(timeIntervalSinceNow: 30)
            try condition.withLock {
                while !isThere(bytes.count, took, isFull) {
                    guard condition.wait(until: deadline) else {
                        throw TestFailure("waited for \(what): \(bytes.count), \(took), \(isFull)")
                    }
                }
            }
        }
    }

    /// A queue on a loop of its own.
    private final class World: Sendable {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let user = User()
        private let queue: NIOLoopBoundBox<SpillQueue?>

        init(_ space: SpillSpace, capacity: Int) {
            let loop = group.next()
            let queue = NIOLoopBoundBox<SpillQueue?>.makeBoxSendingValue(nil, eventLoop: loop)
            self.queue = queue
            let user = user
            loop.execute {
                queue.value = SpillQueue(space: space, capacity: capacity, eventLoop: loop, user: user)
            }
        }

        func use<Value: Sendable>(_ action: @escaping @Sendable (SpillQueue?) -> Value) async throws -> Value
        {
            let queue = queue
            return try await group.next().submit { action(queue.value) }.get()
        }

        func append(_ bytes: [UInt8]) async throws {
            try await use { $0?.append(ByteBuffer(bytes: bytes)) }
        }

        func stop() async throws {
            let queue = queue
            try await group.next().submit {
                queue.value?.close()
                queue.value = nil
            }.get()
            try await group.shutdownGracefully()
        }
    }

    private func randomBytes(_ count: Int) -> [UInt8] {
        var random = SplitMix64(seed: 9)
        return random.bytes(count)
    }

    private func space(_ folder: TemporaryFolder, bytes: Int = 1 << 30, files: Int = 10) -> SpillSpace {
        SpillSpace(folder: folder.path, bytes: bytes, files: files)
    }

    @Test(arguments: [1, 2, 3]) func whatGoesInComesOutInOrder(seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let content = random.bytes(3_000_000)
        let folder = try TemporaryFolder()
        let world = World(space(folder), capacity: 400_000)
        var (sent, wanted) = (0, 0)
        while wanted < content.count {
            // Never further ahead than fits, so that the file is written round and round.
            while sent < content.count, sent - world.user.delivered.count < 300_000 {
                let count = min(Int.random(in: 1...90_000, using: &random), content.count - sent)
                try await world.append(Array(content[sent..<sent + count]))
                sent += count
            }
            let more = min(Int.random(in: 1...200_000, using: &random), sent - wanted)
            wanted += more
            try await world.use { $0?.want(more) }
            if Bool.random(using: &random) {
                let (user, target) = (world.user, wanted)
                try await onThread { try user.wait("bytes") { delivered, _, _ in delivered == target } }
            }
        }
        let user = world.user
        try await onThread {
            try user.wait("the end") { delivered, took, _ in delivered == 3_000_000 && took == 3_000_000 }
        }
        let isSame = user.delivered == content
        #expect(isSame, "seed \(seed)")
        #expect(try await world.use { $0?.isEmpty } == true)
        #expect(user.failure == nil)
        try await world.stop()
    }

    @Test func theFileHasNoNameAndIsGivenBack() async throws {
        let folder = try TemporaryFolder()
        let space = space(folder, bytes: 100_000, files: 1)
        let world = World(space, capacity: 1 << 20)
        try await world.append([UInt8](repeating: 1, count: 100_000))
        let user = world.user
        try await onThread { try user.wait("the file") { _, took, _ in took == 100_000 } }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        #expect(!space.take(1), "all of it is in use")
        #expect(throws: IOError.self) { try space.makeFile() }
        try await world.stop()
        #expect(space.take(100_000))
        #expect(throws: Never.self) { _ = try space.makeFile() }
    }

    @Test func whatDoesNotFitWaitsInMemoryAndIsToldSo() async throws {
        let folder = try TemporaryFolder()
        let world = World(space(folder), capacity: 200_000)
        let content = randomBytes(300_000)
        try await world.append(Array(content[..<150_000]))
        try await world.append(Array(content[150_000...]))
        let user = world.user
        try await onThread { try user.wait("a full file") { _, took, isFull in took == 200_000 && isFull } }
        #expect(try await world.use { $0?.arrivingBytes } == 100_000)
        try await world.use { $0?.want(300_000) }
        try await onThread { try user.wait("all") { delivered, _, _ in delivered == 300_000 } }
        let isSame = user.delivered == content
        #expect(isSame)
        try await world.stop()
    }

    @Test func withoutAFolderItIsMemoryAlone() async throws {
        let folder = try TemporaryFolder()
        let space = SpillSpace(folder: folder.path(of: "none"))
        let world = World(space, capacity: 200_000)
        let content = randomBytes(100_000)
        try await world.append(content)
        let user = world.user
        try await onThread { try user.wait("the failure") { _, _, isFull in isFull } }
        #expect(user.failure?.isLost == false)
        #expect(user.failure?.reason.contains("No such file") == true)
        try await world.use { $0?.want(60_000) }
        try await onThread { try user.wait("a part") { delivered, _, _ in delivered == 60_000 } }
        try await world.use { $0?.want(60_000) }
        try await onThread { try user.wait("the rest") { delivered, _, _ in delivered == 100_000 } }
        let isSame = user.delivered == content
        #expect(isSame)
        // Whoever hears that nothing waits any more may take what it has for all.
        #expect(user.aheadOfDelivery == 0)
        try await world.stop()
    }

    @Test func aFailureIsToldOnceAMinute() {
        let space = SpillSpace(folder: "/tmp")
        let start = ContinuousClock.now
        #expect(space.mayTell(now: start))
        #expect(!space.mayTell(now: start + .seconds(59)))
        #expect(space.mayTell(now: start + .seconds(60)))
    }
}

/// Where in the file things lie.
@Suite struct SpillRingTests {
    @Test func itGoesRoundAndNeverBeyondItsCapacity() {
        var ring = SpillRing(capacity: 10)
        #expect(ring.room(for: 20) == SpillRing.Piece(offset: 0, count: 10))
        ring.filled(10)
        #expect(ring.isFull && ring.room(for: 1) == nil)
        #expect(ring.oldest(4) == SpillRing.Piece(offset: 0, count: 4))
        ring.taken(4)
        #expect(ring.room(for: 20) == SpillRing.Piece(offset: 0, count: 4))
        ring.filled(2)
        #expect(ring.room(for: 20) == SpillRing.Piece(offset: 2, count: 2))
        #expect(ring.oldest(20) == SpillRing.Piece(offset: 4, count: 6))
        ring.taken(6)
        #expect(ring.oldest(20) == SpillRing.Piece(offset: 0, count: 2))
        #expect(ring.room(for: 20) == SpillRing.Piece(offset: 2, count: 8))
        ring.taken(2)
        #expect(ring.oldest(1) == nil)
        ring.rewind()
        #expect(ring.room(for: 20) == SpillRing.Piece(offset: 0, count: 10))
    }
}
