import Testing

@testable import TunnelTransport

@Suite struct TokenReceiveBudgetTests {
    private static let window = 240 << 10

    /// Draws as windows do that double from 256 KiB on as far as they can.
    ///
    /// - Returns: what was drawn.
    private func growAWindow(_ budget: TokenReceiveBudget) -> Int {
        guard budget.take(Self.window) else { return 0 }
        var size = 256 << 10
        while size < 16 << 20, budget.take(size) { size *= 2 }
        return size - (16 << 10)
    }

    @Test func aTokenHoldsAtMostWhatItLeavesToTheOthers() {
        let process = ProcessReceiveBudget()
        let token = TokenReceiveBudget(of: process)
        var held = 0
        while token.take(1000) { held += 1000 }
        #expect(held <= process.unused)
        #expect(held > 63 << 20)
        let other = TokenReceiveBudget(of: process)
        #expect(growAWindow(other) > 1 << 20)
    }

    @Test func tokensThatTakeAllTheyCanLeaveRoomForMore() {
        let process = ProcessReceiveBudget()
        for number in 1...6 {
            let token = TokenReceiveBudget(of: process)
            #expect(token.take(Self.window), "token \(number) finds nothing")
            while growAWindow(token) > 0 {}
        }
        #expect(process.unused > 1 << 20)
    }

    @Test func oneStreamMayHaveTheWidestWindow() {
        #expect(growAWindow(TokenReceiveBudget(of: ProcessReceiveBudget())) == (16 << 20) - (16 << 10))
    }

    @Test func largeWindowsLeaveRoomForTheBeginningsOfOthers() {
        let token = TokenReceiveBudget(of: ProcessReceiveBudget())
        for _ in 0..<10 { _ = growAWindow(token) }
        for _ in 0..<4 { #expect(token.take(Self.window)) }
    }

    @Test func whatIsCountedIsNotThereForOthersHoweverMuchItIs() {
        let process = ProcessReceiveBudget(bytes: 10_000)
        let (token, other) = (TokenReceiveBudget(of: process), TokenReceiveBudget(of: process))
        token.count(2500)
        #expect(!process.isShort && !token.take(626) && token.take(625))
        #expect(process.isShort && other.isShort)
        token.count(20_000)
        #expect(!token.take(1) && !other.take(1))
        token.count(-22_500)
        token.giveBack(625)
        #expect(!process.isShort && process.unused == 10_000)
    }

    @Test func whatIsGivenBackIsThere() {
        let process = ProcessReceiveBudget(bytes: 1000)
        let token = TokenReceiveBudget(of: process)
        #expect(!token.take(126))
        for _ in 0..<10 {
            #expect(token.take(125))
            #expect(process.unused == 875)
            token.giveBack(125)
        }
        #expect(process.unused == 1000)
    }
}
