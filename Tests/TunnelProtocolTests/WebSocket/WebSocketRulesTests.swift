import Testing
import TunnelProtocol

/// What RFC 6455 forbids, each with the error and the code to close with.
@Suite struct WebSocketRulesTests {
    private static let key: [UInt8] = [1, 2, 3, 4]

    private func read(
        _ frames: FrameBytes..., expectsMask: Bool = false, maximumMessageBytes: Int = 1 << 20
    ) throws -> [WebSocketReceived] {
        try WebSocketReader.read(
            frames.flatMap(\.bytes), expectsMask: expectsMask, maximumMessageBytes: maximumMessageBytes)
    }

    @Test(arguments: 1...7 as ClosedRange<UInt8>) func reservedBitsAreRefused(bits: UInt8) {
        #expect(throws: WebSocketError.reservedBits) { try read(FrameBytes(reserved: bits, opcode: 2)) }
    }

    @Test(arguments: 0...15 as ClosedRange<UInt8>) func onlyKnownOpcodesAreTaken(opcode: UInt8) throws {
        let frame = FrameBytes(opcode: opcode)
        switch opcode {
        case 0: #expect(throws: WebSocketError.unexpectedContinuation) { try read(frame) }
        case 1: #expect(throws: WebSocketError.textMessage) { try read(frame) }
        case 2: #expect(try read(frame) == [.message([])])
        case 8: #expect(try read(frame) == [.close(1005)])
        case 9: #expect(try read(frame) == [.ping([])])
        case 10: #expect(try read(frame) == [.pong([])])
        default: #expect(throws: WebSocketError.unknownOpcode) { try read(frame) }
        }
    }

    @Test(arguments: [8, 9, 10] as [UInt8]) func controlFramesAreShortAndWhole(opcode: UInt8) throws {
        #expect(throws: WebSocketError.fragmentedControlFrame) {
            try read(FrameBytes(isFinal: false, opcode: opcode))
        }
        #expect(throws: WebSocketError.oversizedControlFrame) {
            try read(FrameBytes(opcode: opcode, payload: [UInt8](repeating: 65, count: 126)))
        }
        #expect(throws: WebSocketError.oversizedControlFrame) {
            try read(FrameBytes(opcode: opcode, lengthForm: .sixtyFourBits, payload: [1]))
        }
    }

    @Test func fragmentsFollowTheirFirst() throws {
        let first = FrameBytes(isFinal: false, opcode: 2, payload: [1])
        let last = FrameBytes(opcode: 0, payload: [2])
        #expect(try read(first, last) == [.message([1, 2])])
        #expect(throws: WebSocketError.unfinishedMessage) { try read(first, first) }
        #expect(throws: WebSocketError.unfinishedMessage) { try read(first, FrameBytes(opcode: 1)) }
        #expect(throws: WebSocketError.unexpectedContinuation) { try read(first, last, last) }
    }

    struct Length: CustomTestStringConvertible {
        let count: Int
        let form: FrameBytes.LengthForm
        let isMinimal: Bool
        var testDescription: String { "\(count) bytes as \(form)" }
    }

    @Test(
        arguments: [
            Length(count: 0, form: .sixteenBits, isMinimal: false),
            Length(count: 125, form: .shortest, isMinimal: true),
            Length(count: 125, form: .sixteenBits, isMinimal: false),
            Length(count: 125, form: .sixtyFourBits, isMinimal: false),
            Length(count: 126, form: .sixteenBits, isMinimal: true),
            Length(count: 126, form: .sixtyFourBits, isMinimal: false),
            Length(count: 65535, form: .sixteenBits, isMinimal: true),
            Length(count: 65535, form: .sixtyFourBits, isMinimal: false),
            Length(count: 65536, form: .sixtyFourBits, isMinimal: true),
        ])
    func lengthsAreWrittenInTheFewestBytes(_ length: Length) throws {
        let payload = [UInt8](repeating: 3, count: length.count)
        let frame = FrameBytes(opcode: 2, lengthForm: length.form, payload: payload)
        if length.isMinimal {
            #expect(try read(frame) == [.message(payload)])
        } else {
            #expect(throws: WebSocketError.nonMinimalLength) { try read(frame) }
        }
    }

    @Test(arguments: [0x01, 0x7f, 0x80, 0xff] as [UInt8])
    func anImmenseLengthIsRefusedAtOnce(highByte: UInt8) {
        #expect(throws: WebSocketError.messageTooBig) {
            try WebSocketReader.read(
                [0x82, 0x7f, highByte] + [UInt8](repeating: 0xff, count: 7), expectsMask: false)
        }
    }

    @Test func serversTakeOnlyMaskedAndClientsOnlyUnmaskedFrames() throws {
        let masked = FrameBytes(opcode: 2, mask: Self.key, payload: [1])
        let plain = FrameBytes(opcode: 2, payload: [1])
        #expect(try read(masked, expectsMask: true) == [.message([1])])
        #expect(try read(plain, expectsMask: false) == [.message([1])])
        #expect(throws: WebSocketError.maskMissing) { try read(plain, expectsMask: true) }
        #expect(throws: WebSocketError.maskForbidden) { try read(masked, expectsMask: false) }
        #expect(throws: WebSocketError.maskMissing) { try read(FrameBytes(opcode: 9), expectsMask: true) }
    }

    @Test func theMessageLimitCountsAllFragments() throws {
        let four = FrameBytes(isFinal: false, opcode: 2, payload: [1, 2, 3, 4])
        let next = FrameBytes(isFinal: false, opcode: 0, payload: [5, 6, 7, 8])
        let end = FrameBytes(opcode: 0)
        #expect(try read(four, next, end, four, next, end, maximumMessageBytes: 8).count == 2)
        #expect(throws: WebSocketError.messageTooBig) { try read(four, next, maximumMessageBytes: 7) }
        #expect(throws: WebSocketError.messageTooBig) { try read(four, maximumMessageBytes: 3) }
        // Control frames between fragments do not count.
        let ping = FrameBytes(opcode: 9, payload: [9, 9, 9])
        #expect(try read(four, ping, next, end, maximumMessageBytes: 8).count == 2)
    }

    @Test func theCloseCodesThatMayBeSentAreTheOnesTaken() throws {
        for code in 0...UInt16.max {
            let isAllowed =
                (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
            let bytes = FrameBytes(opcode: 8, payload: [UInt8(code >> 8), UInt8(code & 0xff)]).bytes
            let received = try? WebSocketReader.read(bytes, expectsMask: false)
            #expect(received == (isAllowed ? [.close(code)] : nil), "code \(code)")
        }
    }

    @Test func aCloseReasonIsUTF8AndACodeIsWhole() throws {
        #expect(throws: WebSocketError.malformedClose) { try read(FrameBytes(opcode: 8, payload: [3])) }
        #expect(throws: WebSocketError.malformedClose) {
            try read(FrameBytes(opcode: 8, payload: [0x03, 0xe8, 0xc3, 0x28]))
        }
        let longest = FrameBytes(opcode: 8, payload: [0x03, 0xe8] + [UInt8](repeating: 65, count: 123))
        #expect(try read(longest) == [.close(1000)])
    }

    @Test func everyErrorHasACodeToCloseWith() {
        #expect(WebSocketError.messageTooBig.closeCode == .messageTooBig)
        #expect(WebSocketError.textMessage.closeCode == .unsupportedData)
        #expect(WebSocketError.maskMissing.closeCode == .protocolError)
    }
}
