import NIOCore
import NIOEmbedded
import Testing
import TunnelProtocol
import TunnelTransport

@testable import TunnelClient

/// A session on an embedded channel, as its keeper sees it.
private final class EmbeddedSession: SessionOwner {
    let loop: EmbeddedEventLoop
    let life: SessionLife
    private(set) var channel = EmbeddedChannel()
    private(set) var end: SessionEnd?

    init(on loop: EmbeddedEventLoop = EmbeddedEventLoop()) {
        self.loop = loop
        life = SessionLife(on: loop)
    }

    /// The WebSocket is open.
    func begin() throws {
        let session = MuxSession(
            role: .acceptor, limits: SessionLimits(),
            settings: SessionSettings(maximumStreams: 10, initialWindow: 1 << 16, software: "test"),
            budget: ProcessReceiveBudget(), owner: self)
        life.began(SessionReference(session, eventLoop: loop))
        channel = EmbeddedChannel(handler: WebSocketCarrier(session), loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        loop.run()
    }

    func sessionReady(_ session: any Session, peer: SessionSettings) { life.ready() }
    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {}
    func sessionPeerDrains(_ session: any Session, reason: String) { life.released() }
    func sessionEnded(_ session: any Session, _ end: SessionEnd) { life.ended(end) }
    deinit { if !life.isOver { life.neverBegan() } }
}

@Suite struct SessionLifeTests {
    @Test func closingEndsASessionWhoseServerIsSilent() throws {
        let session = EmbeddedSession()
        try session.begin()
        #expect(session.channel.isActive)
        session.life.close()
        session.loop.run()
        #expect(!session.channel.isActive)
        #expect(session.life.isOver)
    }

    @Test func stoppingClosesASessionThatIsNotReady() throws {
        let session = EmbeddedSession()
        try session.begin()
        session.life.stop()
        session.loop.run()
        #expect(!session.channel.isActive)
    }

    @Test(arguments: [true, false]) func whatWasUnwantedBeforeItBeganIsClosedWhenItBegins(stops: Bool) throws
    {
        let session = EmbeddedSession()
        stops ? session.life.stop() : session.life.close()
        try session.begin()
        #expect(!session.channel.isActive)
        #expect(session.life.isOver)
    }

    @Test func stoppingDrainsASessionThatIsReady() throws {
        let session = EmbeddedSession()
        try session.begin()
        session.life.ready()
        session.life.stop()
        session.loop.run()
        // It waits for the server to agree.
        #expect(session.channel.isActive)
        session.life.close()
        session.loop.run()
        #expect(!session.channel.isActive)
    }

    @Test func stoppingAfterClosingCloses() throws {
        let session = EmbeddedSession()
        try session.begin()
        session.life.ready()
        session.life.close()
        session.life.stop()
        session.loop.run()
        #expect(!session.channel.isActive)
    }

    @Test func aServerThatDoesNotSayWhoItIsIsLeft() throws {
        let session = EmbeddedSession()
        try session.begin()
        session.loop.advanceTime(by: .seconds(9))
        #expect(session.channel.isActive)
        session.loop.advanceTime(by: .seconds(2))
        #expect(!session.channel.isActive)
        #expect(session.life.isOver)
    }

    @Test func theOldestOfTooManyLeavingSessionsIsClosed() throws {
        let loop = EmbeddedEventLoop()
        var leaving = LeavingSessions()
        let sessions = (0..<7).map { _ in EmbeddedSession(on: loop) }
        for session in sessions {
            try session.begin()
            session.life.ready()
        }
        sessions[1].life.close()
        for session in sessions { leaving.add(session.life)?.close() }
        loop.run()
        #expect(sessions.map(\.channel.isActive) == [false, false, false, true, true, true, true])
        for session in sessions { session.life.close() }
    }
}
