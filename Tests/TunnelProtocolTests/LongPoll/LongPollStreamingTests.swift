import Testing

@testable import TunnelProtocol

@Suite("Long polling: whether answers pass as they are written")
struct LongPollStreamingTests {
    private func time(_ milliseconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 0).advanced(by: .milliseconds(milliseconds))
    }

    /// What is asked for changes it.
    private func asks(_ streaming: inout LongPollStreaming, at milliseconds: Int) -> LongPollHead.Flags {
        streaming.asks(now: time(milliseconds))
    }

    /// One that was answered in two pieces, so long apart.
    private func probed(apart milliseconds: Int) -> LongPollStreaming {
        var streaming = LongPollStreaming()
        streaming.probes(by: 1)
        streaming.padding(to: 1, now: time(100))
        streaming.padding(to: 1, now: time(100 + milliseconds))
        streaming.ended(1, now: time(100 + milliseconds))
        return streaming
    }

    @Test func theFirstPollIsAProbeAndNoOtherBesideIt() {
        var streaming = LongPollStreaming()
        #expect(!streaming.isOn)
        let first = asks(&streaming, at: 0)
        #expect(first == .probe)
        streaming.probes(by: 1)
        let second = asks(&streaming, at: 0)
        #expect(second == [])
    }

    @Test func piecesThatComeApartShowThatAnswersPass() {
        var streaming = probed(apart: 300)
        #expect(streaming.isOn)
        let next = asks(&streaming, at: 500)
        #expect(next == .stream)
    }

    @Test(arguments: [0, 1, 149])
    func piecesThatComeTogetherShowThatTheyAreHeldBack(milliseconds: Int) {
        var streaming = probed(apart: milliseconds)
        #expect(!streaming.isOn)
        let next = asks(&streaming, at: 500)
        #expect(next == [])
        let muchLater = asks(&streaming, at: 3_700_000)
        #expect(muchLater == .probe, "It is tried again after an hour")
    }

    @Test func aProbeThatEndsAfterOnePieceShowsThatTheyAreHeldBack() {
        var streaming = LongPollStreaming()
        streaming.probes(by: 1)
        streaming.padding(to: 1, now: time(100))
        streaming.ended(1, now: time(500))
        let next = asks(&streaming, at: 500)
        #expect(next == [])
    }

    @Test func piecesOfOtherRequestsSayNothing() {
        var streaming = LongPollStreaming()
        streaming.probes(by: 1)
        streaming.padding(to: 2, now: time(100))
        streaming.padding(to: 2, now: time(900))
        streaming.ended(2, now: time(900))
        streaming.failed(2, now: time(900))
        #expect(!streaming.isOn)
        let next = asks(&streaming, at: 900)
        #expect(next == [])
        streaming.padding(to: 1, now: time(1_000))
        streaming.padding(to: 1, now: time(1_200))
        #expect(streaming.isOn)
    }

    @Test func aProbeThatBreaksOffIsMadeAgainButNotForEver() {
        var streaming = LongPollStreaming()
        for number: UInt64 in 1...3 {
            let next = asks(&streaming, at: 0)
            #expect(next == .probe)
            streaming.probes(by: number)
            streaming.failed(number, now: time(0))
        }
        let next = asks(&streaming, at: 0)
        #expect(next == [])
    }

    @Test func twoSignsOfLifeThatComeLateEndIt() {
        var streaming = probed(apart: 300)
        streaming.wasLate(now: time(1_000))
        #expect(streaming.isOn)
        streaming.wasLate(now: time(2_000))
        #expect(!streaming.isOn)
        let next = asks(&streaming, at: 2_000)
        #expect(next == [])
    }

    @Test func whatIsNotOnCannotBeLate() {
        var streaming = LongPollStreaming()
        streaming.wasLate(now: time(0))
        streaming.wasLate(now: time(0))
        let next = asks(&streaming, at: 0)
        #expect(next == .probe)
    }
}
