import NIOCore
import Testing

@testable import TunnelProtocol

/// How long an origin took, as one end tells the other.
@Suite struct OriginTimeTests {
    private static let one = StreamID(1)
    private static let head = SessionProbe.head

    private static func settings(_ features: SessionFeatures) -> SessionSettings {
        var settings = SessionProbe.settings
        settings.features = features
        return settings
    }

    /// What a client writes whose server says that it knows this.
    private func answer(
        to features: SessionFeatures, isInterim: Bool = false, _ time: UInt32?
    ) throws -> MuxFrame? {
        let client = try SessionProbe(.acceptor, peer: Self.settings(features))
        try client.take(1)
        client.machine.respond(
            Self.one, head: Self.head, isInterim: isInterim, isLast: false, originTime: time)
        return client.written().last
    }

    @Test func itIsToldToWhoTakesItAlone() throws {
        let told = MuxFrame.response(
            Self.one, head: Self.head, isInterim: false, isLast: false, originTime: 300_000)
        let untold = MuxFrame.response(Self.one, head: Self.head, isInterim: false, isLast: false)
        #expect(try answer(to: [.hostNames, .originTimes], 300_000) == told)
        #expect(try answer(to: .hostNames, 300_000) == untold)
        #expect(try answer(to: [], 300_000) == untold)
        #expect(try answer(to: .originTimes, nil) == untold)
    }

    @Test func anInterimHeadHasNone() throws {
        let frame = MuxFrame.response(Self.one, head: Self.head, isInterim: true, isLast: false)
        #expect(try answer(to: .originTimes, isInterim: true, 5) == frame)
        // One that a peer sends nevertheless says nothing.
        let server = try SessionProbe(.opener)
        _ = server.open(isLast: true)
        let timed = MuxFrame.response(
            Self.one, head: Self.head, isInterim: true, isLast: false, originTime: 5)
        #expect(
            try server.receive(timed) == [
                .response(Self.one, head: Self.head, isInterim: true, isLast: false)
            ])
    }

    @Test(arguments: [0, 1, UInt32.max]) func aServerHearsIt(time: UInt32) throws {
        let server = try SessionProbe(.opener)
        _ = server.open(isLast: true)
        let frame = MuxFrame.response(
            Self.one, head: Self.head, isInterim: false, isLast: true, originTime: time)
        #expect(
            try server.receive(frame) == [
                .response(Self.one, head: Self.head, isInterim: false, isLast: true, originTime: time)
            ])
    }

    @Test(arguments: 0..<4) func aTimeThatIsCutOffEndsTheSession(length: Int) throws {
        let server = try SessionProbe(.opener)
        _ = server.open(isLast: true)
        var message = ByteBuffer()
        message.writeMuxHeader(.response, .timed, stream: Self.one, length: length)
        message.writeRepeatingByte(0, count: length)
        server.machine.receive(message, now: server.now)
        #expect(throws: MuxError.malformedFrame) { try server.events() }
    }

    @Test func theLongestHeadHasRoomForItsTime() throws {
        let limits = SessionLimits()
        let longest = bytes(limits.maximumHeadBytes)
        let server = try SessionProbe(.opener)
        _ = server.open(isLast: true)
        let frame = MuxFrame.response(
            Self.one, head: longest, isInterim: false, isLast: true, originTime: 7)
        #expect(
            try server.receive(frame) == [
                .response(Self.one, head: longest, isInterim: false, isLast: true, originTime: 7)
            ])
        let other = try SessionProbe(.opener)
        _ = other.open(isLast: true)
        let tooLong = MuxFrame.response(
            Self.one, head: bytes(limits.maximumHeadBytes + 1), isInterim: false, isLast: true)
        #expect(throws: MuxError.frameTooBig) { try other.receive(tooLong) }
    }
}
