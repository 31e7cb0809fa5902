import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServing

/// How much a connection does at once.
@Suite struct StepPaceTests {
    /// Has so many steps to take; some of them bring about more.
    private final class Taker: StepTaker {
        var left: Int
        private(set) var taken = 0
        private(set) var rests = 0
        /// Called in each step.
        var inStep: (Taker) -> Void = { _ in }

        init(_ steps: Int) { left = steps }

        func takeStep() -> Bool {
            guard left > 0 else { return false }
            left -= 1
            taken += 1
            inStep(self)
            return true
        }

        func restsAfterSteps() { rests += 1 }
    }

    @Test func aFewStepsAreTakenAtOnceAndManyInTurns() {
        let loop = EmbeddedEventLoop()
        let pace = StepPace(on: loop)
        let taker = Taker(19)
        pace.run(taker)
        #expect(taker.taken == 19 && !pace.isInLine)
        taker.left = 50
        pace.run(taker)
        #expect(taker.taken == 39 && pace.isInLine)
        // It is in line, whatever comes.
        pace.run(taker)
        #expect(taker.taken == 39 && taker.rests == 2)
        loop.advanceTime(by: .milliseconds(1))
        #expect(taker.taken == 69 && !pace.isInLine && taker.rests == 3)
    }

    @Test func whatAStepBringsAboutIsWorkedOffByTheSameLoop() {
        let pace = StepPace(on: EmbeddedEventLoop())
        let taker = Taker(1)
        taker.inStep = { taker in
            if taker.taken < 5 { taker.left += 1 }
            pace.run(taker)
            #expect(taker.rests == 0)
        }
        pace.run(taker)
        #expect(taker.taken == 5 && taker.rests == 1)
    }

    @Test func whoIsGoneWhenItsTurnComesIsNotMissed() {
        let loop = EmbeddedEventLoop()
        let pace = StepPace(on: loop)
        pace.run(Taker(21))
        #expect(pace.isInLine)
        loop.advanceTime(by: .milliseconds(1))
        #expect(!pace.isInLine)
    }
}
