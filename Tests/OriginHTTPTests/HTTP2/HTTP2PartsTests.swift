import NIOCore
import NIOHPACK
import TestSupport
import Testing

@testable import OriginHTTP

/// What waits of a request for the origin's windows.
struct HTTP2SendQueueTests {
    /// An origin that takes as much as comes, and never all, would make what waits longer and longer.
    @Test func whatHasGoneOutIsNotKeptForEver() {
        var queue = HTTP2SendQueue(window: 0)
        let bytes = ByteBuffer(repeating: 7, count: 1000)
        queue.append(ByteBuffer(repeating: 7, count: 500))
        for _ in 0..<10_000 {
            queue.append(bytes)
            queue.window += 1000
            var taken = 0
            while case .bytes(let piece, _)? = queue.next(1 << 20) { taken += piece.readableBytes }
            #expect(taken == 1000 && queue.waiting == 500)
        }
        #expect(queue.pieces.allSatisfy { $0.storageCapacity <= 128 << 10 })
    }

    private func text(_ piece: HTTP2SendQueue.Piece?) -> String? {
        guard case .bytes(let bytes, let isLast)? = piece else { return nil }
        return String(buffer: bytes) + (isLast ? "." : "")
    }

    @Test func piecesFitBothWindowsAndTheLastSaysSo() {
        var queue = HTTP2SendQueue(window: 4)
        queue.append(ByteBuffer(string: "abcdefg"))
        queue.finish()
        #expect(text(queue.next(100)) == "abcd")
        #expect(!queue.isReady && queue.next(100) == nil)
        queue.window += 10
        #expect(text(queue.next(1)) == "e")
        #expect(queue.next(0) == nil && queue.waiting == 2)
        #expect(text(queue.next(100)) == "fg.")
        #expect(queue.isOver && !queue.isReady)
    }

    /// What makes frames keeps it back while the connection's window is closed.
    @Test func anEmptyEndWaitsForTheConnectionAndForAWindowBelowZero() {
        var queue = HTTP2SendQueue(window: 0)
        queue.finish()
        #expect(queue.next(0) == nil && queue.isReady)
        #expect(text(queue.next(1)) == ".")
        var below = HTTP2SendQueue(window: -1)
        below.finish()
        #expect(!below.isReady)
        below.window = 0
        #expect(text(below.next(1)) == ".")
    }

    @Test func trailersWaitForTheBodyAndForNoWindow() {
        var queue = HTTP2SendQueue(window: 2)
        queue.append(ByteBuffer(string: "abc"))
        queue.finish(trailers: HPACKHeaders([("a", "b")]))
        #expect(text(queue.next(9)) == "ab")
        #expect(queue.next(9) == nil)
        queue.window = 1
        #expect(text(queue.next(9)) == "c")
        guard case .trailers(let trailers)? = queue.next(0) else {
            Issue.record("no trailers")
            return
        }
        #expect(trailers["a"] == ["b"] && queue.isOver)
    }

    @Test(arguments: 0..<20) func whateverTheWindowsAllBytesComeInOrder(round: Int) {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        var queue = HTTP2SendQueue(window: 0)
        var (sent, got, isLast) = ([UInt8](), [UInt8](), false)
        for step in 0..<400 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0 where step < 300:
                let bytes = random.bytes(Int.random(in: 1...9000, using: &random))
                sent += bytes
                queue.append(ByteBuffer(bytes: bytes))
            case 1: queue.window += Int.random(in: -2000...20_000, using: &random)
            default:
                let allowance = Int.random(in: 0...30_000, using: &random)
                let window = queue.window
                guard case .bytes(let bytes, _)? = queue.next(allowance) else { continue }
                #expect(bytes.readableBytes <= min(window, allowance, 16 << 10), "seed \(seed)")
                got += bytes.readableBytesView
            }
            #expect(queue.waiting == sent.count - got.count, "seed \(seed)")
        }
        queue.finish()
        queue.window = 1 << 30
        while case .bytes(let bytes, let last)? = queue.next(1 << 30) {
            got += bytes.readableBytesView
            isLast = last
        }
        #expect(got == sent && isLast, "seed \(seed)")
    }
}

/// What an origin may send before we have taken what it sent.
struct HTTP2AnswerWindowTests {
    /// What came is gone from the offer, as the handler of frames says.
    private func come(_ bytes: Int, _ window: inout HTTP2AnswerWindow) {
        window.came(bytes)
        window.offered -= bytes
    }

    @Test func itOpensOnlyByWhatWasTaken() {
        var window = HTTP2AnswerWindow()
        come(60_000, &window)
        #expect(window.opening { _ in true } == 0)
        window.taken(20_000)
        #expect(window.opening { _ in true } == 0)
        window.taken(20_000)
        #expect(window.opening { _ in true } == 40_000)
        #expect(window.held == 20_000 && window.offered == 45_535)
    }

    @Test func itGrowsWhereAllIsTakenAtOnceAndSomebodyAgrees() {
        var (fast, denied) = (HTTP2AnswerWindow(), HTTP2AnswerWindow())
        for _ in 0..<200 {
            for (isFast, allows) in [(true, true), (false, false)] {
                var window = isFast ? fast : denied
                let bytes = window.offered
                come(bytes, &window)
                window.taken(bytes)
                _ = window.opening { _ in allows }
                if isFast { fast = window } else { denied = window }
            }
        }
        #expect(fast.offered == 1 << 20 && fast.growth == (1 << 20) - 65_535)
        #expect(denied.offered == 65_535 && denied.growth == 0)
    }
}

/// When an origin is asked for a sign of life.
struct HTTP2PulseTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    private func pulse() -> HTTP2Pulse {
        HTTP2Pulse(quiet: .seconds(30), patience: .seconds(15), now: start)
    }

    @Test func theQuestionsComeEverMoreSeldom() {
        var pulse = pulse()
        var times: [Int64] = []
        for second in 0..<1500 {
            if case .ask = pulse.due(now: at(Int64(second))) {
                times.append(Int64(second))
                _ = pulse.wasAnswered(now: at(Int64(second)))
            }
        }
        // Servers of gRPC bear two that come within five minutes of the one before.
        #expect(times == [30, 90, 210, 520, 830, 1140, 1450])
    }

    @Test func whoDoesNotAnswerIsDeadUnlessSomethingElseCame() {
        var silent = pulse()
        #expect(silent.due(now: at(30)) == .ask)
        #expect(silent.due(now: at(44)) == .nothing(until: at(45)))
        #expect(silent.due(now: at(45)) == .dead)
        var busy = pulse()
        #expect(busy.due(now: at(30)) == .ask)
        busy.answerCame(now: at(40))
        #expect(busy.due(now: at(45)) == .nothing(until: at(55)))
        #expect(busy.due(now: at(55)) == .dead)
    }

    @Test func cancelledExchangesKeepTheirPlacesUntilTheOriginKnows() {
        var pulse = pulse()
        #expect(pulse.cancels(now: at(1)) == (true, true))
        #expect(pulse.cancels(now: at(2)) == (true, false))
        #expect(pulse.wasAnswered(now: at(3)) == 2)
        // It is not asked again before it has sent something.
        #expect(pulse.cancels(now: at(4)) == (false, false))
        pulse.answerCame(now: at(5))
        #expect(pulse.cancels(now: at(6)) == (true, true))
        #expect(pulse.due(now: at(21)) == .dead)
    }
}

/// What an origin sends that is of no use.
struct HTTP2NuisanceTests {
    private let start = NIODeadline.uptimeNanoseconds(0)

    @Test func onlyWhatIsOfNoUseCountsAndIsForgotten() {
        var nuisance = HTTP2Nuisance(now: start)
        nuisance.received(10 << 20, useful: 10 << 20, now: start)
        nuisance.received(128 << 10, useful: 0, now: start)
        #expect(!nuisance.isTooMuch)
        nuisance.received(17, useful: 0, now: start)
        #expect(nuisance.isTooMuch)
        nuisance.received(0, useful: 0, now: start + .milliseconds(5))
        #expect(!nuisance.isTooMuch)
        for second in 1..<100 {
            nuisance.received(15 << 10, useful: 0, now: start + .seconds(Int64(second)))
            #expect(!nuisance.isTooMuch)
        }
    }
}
