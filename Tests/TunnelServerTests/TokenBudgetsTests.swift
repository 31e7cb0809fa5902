import Testing
import TunnelProtocol
import TunnelTransport

@testable import TunnelServer

@Suite struct TokenBudgetsTests {
    private func token(_ number: Int) throws -> RendezvousToken {
        try RendezvousToken("0000000000000000-token-number-\(number)")
    }

    @Test func theSessionsOfATokenShareOne() throws {
        let budgets = TokenBudgets(of: ProcessReceiveBudget())
        let first = try budgets.budget(of: token(1))
        #expect(try budgets.budget(of: token(1)) === first)
        #expect(try budgets.budget(of: token(2)) !== first)
    }

    @Test func tokensWithoutSessionsAreForgotten() throws {
        let budgets = TokenBudgets(of: ProcessReceiveBudget())
        let kept = try (0..<10).map { try budgets.budget(of: token($0)) }
        for number in 10..<1000 { _ = try budgets.budget(of: token(number)) }
        #expect(budgets.count <= 64)
        for (number, budget) in kept.enumerated() {
            #expect(try budgets.budget(of: token(number)) === budget)
        }
    }
}
