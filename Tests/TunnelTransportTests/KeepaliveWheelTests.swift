import NIOCore
import NIOEmbedded
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// One timer for all sessions of an event loop.
@Suite struct KeepaliveWheelTests {
    /// A network that breaks makes thousands of sessions silent in one moment: the loop has others to serve in between.
    @Test(.timeLimit(.minutes(1))) func whatIsFoundDeadTogetherIsNotEndedInOneTurnOfTheLoop() throws {
        let loop = EmbeddedEventLoop()
        let owner = RecordingOwner()
        let count = KeepaliveWheel.mostAtOnce * 10
        var limits = SessionLimits()
        limits.keepaliveTimeout = .milliseconds(100)
        let start = NIODeadline.now()
        loop.advanceTime(to: start)
        let channels = try (0..<count).map { _ in
            let session = MuxSession(
                role: .opener, limits: limits,
                settings: SessionSettings(maximumStreams: 1, initialWindow: 0, software: "test"),
                budget: ProcessReceiveBudget(bytes: 1 << 20), owner: owner)
            let channel = EmbeddedChannel(handler: WebSocketCarrier(session), loop: loop)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            return channel
        }
        let silent = NIODeadline.now() + .milliseconds(110)
        // The sessions read the machine's clock, which no test moves.
        while NIODeadline.now() < silent {}
        var atOnce: [Int] = []
        var time = start
        while time < silent + .milliseconds(500) {
            time = time + .milliseconds(1)
            let before = owner.ends.count
            loop.advanceTime(to: time)
            atOnce.append(owner.ends.count - before)
        }
        #expect(owner.ends == Array(repeating: .peerSilent, count: count))
        // Their turns come from that clock too, so that nobody knows how many share one.
        #expect(atOnce.allSatisfy { $0 <= KeepaliveWheel.mostAtOnce })
        _ = channels
    }
}
