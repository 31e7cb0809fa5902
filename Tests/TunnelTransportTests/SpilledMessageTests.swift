import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// Slow messages of protocol v1 over a real connection: kept in files, and nobody waits for them.
@Suite(.timeLimit(.minutes(1))) struct SpilledMessageTests {
    private static let get = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    private static let size = 3_000_000
    private static let content = {
        var random = SplitMix64(seed: 77)
        return random.bytes(size)
    }()

    private static func limits() -> SessionLimits {
        var limits = SessionLimits()
        limits.v1.maximumStoredBytes = 256 << 10
        return limits
    }

    /// A caller that takes what it is told to.
    private final class Caller: Sendable {
        let receiver: RecordingReceiver
        private let loop: any EventLoop
        private let port: NIOLoopBoundBox<(any StreamPort)?>

        init(_ link: SessionLink, onWritable: @escaping @Sendable () -> Void = {}) {
            loop = link.callerLoop
            receiver = RecordingReceiver(onWritable: onWritable)
            port = .makeBoxSendingValue(nil, eventLoop: loop)
        }

        func open(_ link: SessionLink, _ head: ByteBuffer, isLast: Bool) async throws {
            let (receiver, port, loop) = (receiver, port, loop)
            try await loop.submit {
                port.value = link.session.open(head: head, isLast: isLast, receiver: receiver, on: loop)
            }.get()
        }

        func use(_ action: @escaping @Sendable (any StreamPort) -> Void) async throws {
            let port = port
            try await loop.submit { if let port = port.value { action(port) } }.get()
        }

        /// Takes everything that came, and what comes for it, until there is so much.
        func take(all total: Int) async throws {
            var taken = 0
            while taken < total {
                let count = receiver.received.count
                let more = count - taken
                taken = count
                try await use { $0.consumed(more) }
                let (receiver, taken) = (receiver, taken)
                if taken < total {
                    try await onThread { try receiver.wait(for: "more") { _, bytes in bytes.count > taken } }
                }
            }
        }
    }

    /// Answers the first stream with the content, every other one with `quick`.
    private static func answer(_ session: Session, _ id: StreamID) {
        session.accept(id, receiver: RecordingReceiver())
        let body = id == StreamID(1) ? ByteBuffer(bytes: content) : ByteBuffer(string: "quick")
        let head = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: \(body.readableBytes)\r\n\r\n")
        session.respond(id, head: head, isInterim: false, isLast: false)
        _ = session.send(id, body)
        session.finish(id)
    }

    @Test(arguments: [false, true]) func anAnswerThatNobodyTakesHoldsUpNobody(isLinkLost: Bool) async throws {
        let folder = try TemporaryFolder()
        let space = SpillSpace(folder: folder.path)
        try await SessionLink.with(limits: Self.limits(), space: space, onOpened: Self.answer) { link in
            let slow = Caller(link)
            try await slow.open(link, Self.get, isLast: true)
            try await onThread { try slow.receiver.waitForEvents(1) }
            let quick = Caller(link)
            try await quick.open(link, Self.get, isLast: true)
            try await onThread { try quick.receiver.waitForEvents(2) }
            #expect(quick.receiver.text == "quick")
            #expect(slow.receiver.received.count < Self.size)
            // What came is the caller's, whatever becomes of the session.
            if isLinkLost {
                try await link.cut()
                try await onThread { try link.serverOwner.wait(for: "the end") { $0.contains { $0.isEnd } } }
            }
            try await slow.take(all: Self.size)
            let isSame = slow.receiver.received == Self.content
            #expect(isSame)
            try await onThread { try slow.receiver.waitForEvents(2) }
            #expect(slow.receiver.events.last == .end)
            try await slow.use { $0.forget() }
        }
    }

    @Test func anAnswerWhoseEndIsLostIsTakenAsFarAsItCame() async throws {
        let folder = try TemporaryFolder()
        let space = SpillSpace(folder: folder.path)
        let answer: @Sendable (Session, StreamID) -> Void = { session, id in
            guard id == StreamID(1) else { return Self.answer(session, id) }
            session.accept(id, receiver: RecordingReceiver())
            // Longer than what may be kept, so that it begins before its end.
            let head = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
            session.respond(id, head: head, isInterim: false, isLast: false)
            _ = session.send(id, ByteBuffer(bytes: Self.content))
        }
        try await SessionLink.with(limits: Self.limits(), space: space, onOpened: answer) { link in
            let slow = Caller(link)
            try await slow.open(link, Self.get, isLast: true)
            try await onThread { try slow.receiver.wait(for: "some") { _, bytes in bytes.count > 200_000 } }
            try await slow.take(all: Self.size)
            try await link.cut()
            try await onThread { try slow.receiver.waitForEvents(2) }
            guard case .reset(.sessionLost, _) = slow.receiver.events.last else {
                Issue.record("\(slow.receiver.events)")
                return
            }
            let isSame = slow.receiver.received == Self.content
            #expect(isSame)
        }
    }

    @Test func anUploadWaitsInAFileUntilItIsWhole() async throws {
        let folder = try TemporaryFolder()
        let space = SpillSpace(folder: folder.path)
        let taker = RecordingReceiver()
        // The upload is the first request, and comes second.
        let opened: @Sendable (Session, StreamID) -> Void = { session, id in
            guard id == StreamID(1) else { return session.accept(id, receiver: taker) }
            session.accept(id, receiver: RecordingReceiver())
            let head = ByteBuffer(string: "HTTP/1.1 204 No Content\r\n\r\n")
            session.respond(id, head: head, isInterim: false, isLast: true)
        }
        try await SessionLink.with(limits: Self.limits(), space: space, onOpened: opened) { link in
            let upload = Caller(link)
            let head = ByteBuffer(
                string: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(Self.size)\r\n\r\n")
            try await upload.open(link, head, isLast: false)
            let half = Self.size / 2
            for start in stride(from: 0, to: half, by: 50_000) {
                try await upload.use { _ = $0.send(ByteBuffer(bytes: Self.content[start..<start + 50_000])) }
            }
            let quick = Caller(link)
            try await quick.open(link, Self.get, isLast: true)
            try await onThread { try quick.receiver.waitForEvents(1) }
            #expect(taker.received.isEmpty)
            try await upload.use { _ = $0.send(ByteBuffer(bytes: Self.content[half...])) }
            try await upload.use { $0.finish(trailers: nil) }
            var taken = 0
            while taken < Self.size {
                let before = taken
                try await onThread { try taker.wait(for: "more") { _, bytes in bytes.count > before } }
                taken = taker.received.count
                let more = taken - before
                link.clientSession.perform { $0.consumed(StreamID(2), more) }
            }
            try await onThread { try taker.wait(for: "its end") { events, _ in events.contains(.end) } }
            let isSame = taker.received == Self.content
            #expect(isSame)
        }
    }
}

extension RecordingOwner.Event {
    fileprivate var isEnd: Bool { if case .ended = self { true } else { false } }
}
