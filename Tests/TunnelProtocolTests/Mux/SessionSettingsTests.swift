import NIOCore
import Testing
import TunnelProtocol

@Suite struct SessionSettingsTests {
    /// A settings frame of raw entries.
    private func frame(_ entries: [(UInt16, [UInt8])]) -> [UInt8] {
        var payload = ByteBuffer()
        for (key, value) in entries {
            payload.writeMultipleIntegers(key, UInt16(value.count))
            payload.writeBytes(value)
        }
        var buffer = ByteBuffer()
        buffer.writeMultipleIntegers(UInt32(payload.readableBytes) << 12, UInt32(0))
        buffer.writeBuffer(&payload)
        return Array(buffer.readableBytesView)
    }

    private func read(_ entries: [(UInt16, [UInt8])]) throws -> [MuxFrame] {
        var reader = MuxReader()
        try reader.feed(frame(entries))
        return reader.frames
    }

    @Test func unknownEntriesAreSkippedAndMissingOnesAreNothing() throws {
        let read = try read([(99, [1, 2, 3]), (1, [0, 0, 0, 2]), (77, [])])
        let expected = SessionSettings(maximumStreams: 0, initialWindow: 0, software: "")
        #expect(read == [.settings(expected)])
    }

    @Test func featuresThatNobodyKnowsAreKeptAndSayNothing() throws {
        var settings = SessionSettings(maximumStreams: 0, initialWindow: 0, software: "")
        for (value, features) in [
            ([0, 0, 0, 1], SessionFeatures.rawStreams),
            ([0x80, 0, 0, 0], SessionFeatures(rawValue: 1 << 31)),
            ([], []), ([1], []), ([0, 0, 0, 1, 0xff], .rawStreams),
        ] as [([UInt8], SessionFeatures)] {
            settings.features = features
            #expect(try read([(7, value), (1, [0, 0, 0, 2])]) == [.settings(settings)])
        }
    }

    @Test(arguments: [[], [0, 0, 0, 1], [0, 0, 0, 3], [2], [0xff, 0xff, 0xff, 0xff]] as [[UInt8]])
    func anotherVersionIsRefused(version: [UInt8]) {
        #expect(throws: MuxError.unsupportedVersion) { try read([(1, version)]) }
    }

    @Test func noSettingsAtAllAreOfNoVersion() {
        #expect(throws: MuxError.unsupportedVersion) { try read([]) }
    }

    @Test func anEntryLongerThanItsFrameIsMalformed() {
        var bytes = frame([(1, [0, 0, 0, 2]), (4, Array("software".utf8))])
        bytes[19] = 200
        var reader = MuxReader()
        #expect(throws: MuxError.malformedFrame) { try reader.feed(bytes) }
    }

    @Test func longTextsAreCutOnBothSides() throws {
        let long = String(repeating: "s", count: 1000)
        var reader = MuxReader()
        try reader.feed(
            MuxFrame.settings(SessionSettings(maximumStreams: 1, initialWindow: 1, software: long)).wire)
        let cut = SessionSettings(maximumStreams: 1, initialWindow: 1, software: String(long.prefix(256)))
        #expect(reader.frames == [.settings(cut)])
        let read = try read([(1, [0, 0, 0, 2]), (5, Array(long.utf8))])
        let named = SessionSettings(
            maximumStreams: 0, initialWindow: 0, software: "", tunnelName: String(long.prefix(256)))
        #expect(read == [.settings(named)])
    }
}
