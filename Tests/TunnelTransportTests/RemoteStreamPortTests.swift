import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// Streams whose caller sits on another event loop than their session.
@Suite(.timeLimit(.minutes(1))) struct RemoteStreamPortTests {
    private static let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")

    /// Takes streams and sends each body back, trailers too.
    private final class Echo: StreamReceiver {
        private let session: any Session
        private let id: StreamID

        init(_ session: any Session, _ id: StreamID) {
            self.session = session
            self.id = id
            session.respond(
                id, head: RemoteStreamPortTests.answer, isInterim: false, isLast: false)
        }

        func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {}
        func streamReceived(data: ByteBuffer, isLast: Bool) {
            _ = session.send(id, data)
            session.consumed(id, data.readableBytes)
            if isLast { session.finish(id) }
        }
        func streamReceived(trailers: ByteBuffer) { session.finish(id, trailers: trailers) }
        func streamWasReset(_ end: StreamTermination, reason: String) {}
        func streamBecameWritable() {}
    }

    private static func bytes(_ count: Int, seed: UInt64) -> ByteBuffer {
        var random = SplitMix64(seed: seed)
        return ByteBuffer(bytes: random.bytes(count))
    }

    @Test(arguments: [777, 10_000, 100_000]) func bodiesAndTrailersArriveInOrderAndWhole(
        _ pieceSize: Int
    ) async throws {
        try await SessionLink.with(onOpened: { $0.accept($1, receiver: Echo($0, $1)) }) { link in
            let callers = (0..<3).map { _ in LinkCaller(link) }
            for (seed, caller) in callers.enumerated() {
                try await caller.start(
                    link, body: Self.bytes(1_000_000, seed: UInt64(seed)), pieceSize: pieceSize,
                    trailers: ByteBuffer(string: "N: \(seed)\r\n"))
            }
            for (seed, caller) in callers.enumerated() {
                try await onThread {
                    try caller.receiver.wait(for: "the trailers") { events, _ in
                        events.last == .trailers("N: \(seed)\r\n")
                    }
                }
                let isWhole =
                    caller.receiver.received
                    == Array(Self.bytes(1_000_000, seed: UInt64(seed)).readableBytesView)
                #expect(isWhole, "seed \(seed)")
                #expect(
                    caller.receiver.events.filter { $0 != .writable } == [
                        .head(String(buffer: Self.answer), isInterim: false, isLast: false),
                        .trailers("N: \(seed)\r\n"),
                    ])
            }
        }
    }

    @Test func aReaderThatTakesNothingHoldsTheCallerBackUntilItDoes() async throws {
        let taker = RecordingReceiver()
        try await SessionLink.with(onOpened: { $0.accept($1, receiver: taker) }) { link in
            let total = 4 << 20
            let caller = LinkCaller(link)
            try await caller.start(link, body: ByteBuffer(repeating: 1, count: total))
            let limits = SessionLimits()
            try await onThread {
                try taker.wait(for: "a full window") { _, body in body.count == limits.initialWindow }
            }
            // Between the two: what waits in the session, and what is under way to it, each with its last piece.
            let most = limits.initialWindow + 2 * (limits.sendHighWater + 10_000)
            #expect(try await caller.sent <= most)
            #expect(taker.received.count == limits.initialWindow)

            // Each side learns by itself that it may go on.
            try await onThread {
                var consumed = 0
                while consumed < total {
                    let come = taker.received.count
                    let more = come - consumed
                    consumed = come
                    link.clientSession.perform { $0.consumed(StreamID(1), more) }
                    if come < total { try taker.wait(for: "more") { _, body in body.count > come } }
                }
                try taker.wait(for: "the end") { events, _ in events.last == .end }
            }
            #expect(taker.received.count == total)
        }
    }

    @Test func aSessionThatIsLeavingRefusesSoThatTheCallerCanGoElsewhere() async throws {
        try await SessionLink.with(onOpened: { $0.accept($1, receiver: Echo($0, $1)) }) { link in
            let caller = LinkCaller(link)
            let session = link.session
            try await link.serverLoop.submit { session.perform { $0.drain(reason: "leaving") } }.get()
            try await caller.start(link, body: ByteBuffer(string: "body"))
            try await onThread { try caller.receiver.waitForEvents(1) }
            guard case .reset(.refused, _) = caller.receiver.events.first else {
                Issue.record("\(caller.receiver.events)")
                return
            }
            // Another session can have the body whole.
            #expect(try await caller.sent == 0)
        }
    }

    @Test func aResetByTheTakerReachesTheCallerWithItsReason() async throws {
        try await SessionLink.with(onOpened: { $0.reset($1, .originFailed, reason: "no origin") }) { link in
            let caller = LinkCaller(link)
            try await caller.start(link, body: ByteBuffer(repeating: 1, count: 1 << 20))
            try await onThread {
                // Before it the sender may have been told to go on.
                try caller.receiver.wait(for: "the reset") { events, _ in events.contains { $0 != .writable }
                }
            }
            let events = caller.receiver.events.filter { $0 != .writable }
            #expect(events == [.reset(.originFailed, "no origin")])
        }
    }

    @Test func aResetByTheCallerReachesTheTakerAndTheCallerHearsNoMore() async throws {
        let taker = RecordingReceiver()
        try await SessionLink.with(onOpened: { session, id in
            session.accept(id, receiver: taker)
            session.respond(id, head: Self.answer, isInterim: false, isLast: false)
        }) { link in
            let caller = LinkCaller(link)
            try await caller.start(link, body: ByteBuffer(repeating: 1, count: 4 << 20))
            try await onThread { try caller.receiver.waitForEvents(1) }
            try await caller.reset("the caller left")
            let told = caller.receiver.events.count
            try await onThread {
                try taker.wait(for: "the reset") { events, _ in
                    events.last == .reset(.cancelled, "the caller left")
                }
            }
            try await link.cut()
            try await onThread { try link.serverOwner.wait(for: "the end") { $0.count > 1 } }
            // What was on its way to the caller's loop has arrived behind this.
            try await link.callerLoop.submit {}.get()
            #expect(caller.receiver.events.count == told)
        }
    }

    @Test func aLossOfTheSessionIsToldOnce() async throws {
        let taker = RecordingReceiver()
        try await SessionLink.with(onOpened: { $0.accept($1, receiver: taker) }) { link in
            let callers = (0..<3).map { _ in LinkCaller(link) }
            for caller in callers { try await caller.start(link, body: ByteBuffer(string: "question")) }
            try await onThread {
                try taker.wait(for: "the questions") { events, _ in events == [.end, .end, .end] }
            }
            try await link.cut()
            try await onThread {
                for caller in callers {
                    try caller.receiver.wait(for: "the reset") { events, _ in
                        events.contains { $0 != .writable }
                    }
                }
            }
            // The sessions say nothing after their end; what they said before has arrived behind this.
            try await link.serverLoop.submit {}.get()
            try await link.callerLoop.submit {}.get()
            for caller in callers {
                let events = caller.receiver.events.filter { $0 != .writable }
                guard case .reset(.sessionLost, _) = events.first else {
                    Issue.record("\(events)")
                    continue
                }
                #expect(events.count == 1)
            }
            #expect(link.serverOwner.ends.count == 1)
        }
    }

    @Test func aPeerThatHangsIsGivenUpAfterTheKeepaliveTimeout() async throws {
        var limits = SessionLimits()
        limits.keepaliveTimeout = .milliseconds(400)
        try await SessionLink.with(limits: limits, onOpened: { _, _ in }) { link in
            let hanging = Gate()
            link.clientLoop.execute { _ = try? hanging.wait(within: .seconds(40)) }
            try await onThread {
                defer { hanging.open() }
                try link.serverOwner.wait(for: "the end") { $0.count > 1 }
            }
            #expect(link.serverOwner.ends == [.peerSilent])
        }
    }
}
