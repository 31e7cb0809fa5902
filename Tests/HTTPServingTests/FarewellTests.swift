import NIOCore
import Testing

@testable import HTTPServing

/// When and how a connection ends that says nothing more.
@Suite struct FarewellTests {
    private static let patience = Farewell.Patience(
        stalled: .seconds(100), silence: .seconds(2), lingering: .seconds(30))
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private static func at(_ milliseconds: Int64) -> NIODeadline { start + .milliseconds(milliseconds) }

    private static func farewell(_ manner: Farewell.Manner, isDelimited: Bool = true) -> Farewell {
        Farewell(manner, isDelimited: isDelimited, patience: patience, now: start)
    }

    @Test func nothingEndsWhileBytesGoOut() {
        for manner in [Farewell.Manner.close, .linger, .reset] {
            var farewell = Self.farewell(manner)
            // A byte in 99 seconds, for hours.
            for step in 0..<200 {
                let now = Self.at(Int64(step) * 99_000)
                #expect(
                    farewell.next(undelivered: 1000 - step, now: now) == .wait(until: now + .seconds(100)))
            }
        }
    }

    /// By then the caller has not read for so long; what is lost must not look whole.
    @Test(arguments: [true, false]) func whatStallsIsGivenUp(isDelimited: Bool) {
        for manner in [Farewell.Manner.close, .linger, .reset] {
            var farewell = Self.farewell(manner, isDelimited: isDelimited)
            #expect(farewell.next(undelivered: 10, now: Self.at(0)) == .wait(until: Self.at(100_000)))
            #expect(farewell.next(undelivered: 10, now: Self.at(99_999)) == .wait(until: Self.at(100_000)))
            #expect(farewell.next(undelivered: 10, now: Self.at(100_000)) == (isDelimited ? .close : .reset))
        }
    }

    @Test func aCloseWaitsForNothingButThatEverythingLeft() {
        var farewell = Self.farewell(.close)
        #expect(farewell.next(undelivered: 10, now: Self.at(0)) != .close)
        farewell.sent()
        #expect(farewell.next(undelivered: 10, now: Self.at(1)) == .close)
    }

    @Test func aResetWaitsUntilEverythingHasArrivedAndCouldBeRead() {
        var farewell = Self.farewell(.reset, isDelimited: false)
        farewell.sent()
        #expect(farewell.next(undelivered: 10, now: Self.at(0)) == .wait(until: Self.at(20)))
        #expect(farewell.next(undelivered: 5, now: Self.at(20)) == .wait(until: Self.at(40)))
        #expect(farewell.next(undelivered: 0, now: Self.at(40)) == .wait(until: Self.at(290)))
        #expect(farewell.next(undelivered: 0, now: Self.at(290)) == .reset)
    }

    @Test func aResetForACallerThatTakesNothingComesAtLast() {
        var farewell = Self.farewell(.reset, isDelimited: false)
        farewell.sent()
        _ = farewell.next(undelivered: 5, now: Self.at(0))
        #expect(farewell.next(undelivered: 5, now: Self.at(99_990)) == .wait(until: Self.at(100_000)))
        #expect(farewell.next(undelivered: 5, now: Self.at(100_000)) == .reset)
    }

    /// Thousands may stall at once, and for long: asking the kernel for each of them all the time would be theirs to ask.
    @Test func aCallerThatTakesNothingIsLookedAtEverMoreSeldom() {
        var farewell = Self.farewell(.reset, isDelimited: false)
        farewell.sent()
        var now = Self.start
        var looks = 0
        while case .wait(let next) = farewell.next(undelivered: 5, now: now) {
            now = next
            looks += 1
        }
        #expect(now == Self.at(100_000))
        #expect((20...60).contains(looks))
        // One that moves again is not kept waiting.
        farewell = Self.farewell(.reset, isDelimited: false)
        farewell.sent()
        _ = farewell.next(undelivered: 5, now: Self.at(0))
        #expect(farewell.next(undelivered: 4, now: Self.at(50_000)) == .wait(until: Self.at(50_020)))
    }

    /// A connection that is closed with bytes unread is reset: the caller might lose the answer.
    @Test func theCallersDirectionIsReadUntilItIsSilent() {
        var farewell = Self.farewell(.linger)
        farewell.sent()
        #expect(farewell.next(undelivered: 9, now: Self.at(0)) == .wait(until: Self.at(2000)))
        #expect(farewell.next(undelivered: 0, now: Self.at(2000)) == .wait(until: Self.at(4000)))
        farewell.heard(now: Self.at(3000))
        #expect(farewell.next(undelivered: 0, now: Self.at(4000)) == .wait(until: Self.at(5000)))
        #expect(farewell.next(undelivered: 0, now: Self.at(5000)) == .close)
    }

    @Test func aServerThatLeavesWaitsForSilenceAtMost() {
        var farewell = Self.farewell(.linger)
        farewell.sent()
        farewell.leave()
        _ = farewell.next(undelivered: 9, now: Self.at(0))
        #expect(farewell.next(undelivered: 9, now: Self.at(2000)) == .close)
    }

    @Test func aCallerThatNeverStopsSendingIsClosedAtLast() {
        var farewell = Self.farewell(.linger)
        farewell.sent()
        for second in 0..<30 {
            let now = Self.at(Int64(second) * 1000)
            farewell.heard(now: now)
            #expect(farewell.next(undelivered: 0, now: now) != .close)
        }
        #expect(farewell.next(undelivered: 0, now: Self.at(30_000)) == .close)
    }

    @Test func whatIsInAHurryEndsHoweverFarItHasCome() {
        for (manner, step) in [(Farewell.Manner.linger, Farewell.Step.close), (.reset, .reset)] {
            for isSent in [false, true] {
                var farewell = Self.farewell(manner, isDelimited: manner == .linger)
                if isSent { farewell.sent() }
                farewell.hurry(until: Self.at(500))
                #expect(farewell.next(undelivered: 7, now: Self.at(0)) != step)
                #expect(farewell.next(undelivered: 6, now: Self.at(500)) == step)
            }
        }
    }
}
