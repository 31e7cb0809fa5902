import Synchronization
import TunnelProtocol
import TunnelTransport

/// The shares of memory of those tokens that have sessions. Kept by these.
final class TokenBudgets: Sendable {
    private struct Known {
        weak var budget: TokenReceiveBudget?
    }

    private struct State {
        var known: [RendezvousToken: Known] = [:]
        /// From so many tokens on those without sessions are looked for: twice as many as the last look left.
        var sweepAt = 64
    }

    private let process: ProcessReceiveBudget
    private let state = Mutex(State())

    init(of process: ProcessReceiveBudget) {
        self.process = process
    }

    /// One for all sessions of a token.
    func budget(of token: RendezvousToken) -> TokenReceiveBudget {
        state.withLock { state in
            if let budget = state.known[token]?.budget { return budget }
            if state.known.count >= state.sweepAt {
                state.known = state.known.filter { $0.value.budget != nil }
                state.sweepAt = max(64, 2 * state.known.count)
            }
            let budget = TokenReceiveBudget(of: process)
            state.known[token] = Known(budget: budget)
            return budget
        }
    }

    /// Tokens that are kept count of.
    var count: Int { state.withLock { $0.known.count } }
}
