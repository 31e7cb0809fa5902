import NIOCore
import NIOPosix
import PasswordHashing
import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// Looks at passwords of callers, on threads of its own: an event loop never waits for it.
final class LoginDesk: Sendable {
    /// A request that waits to be let in.
    struct Waiter: Sendable {
        let eventLoop: any EventLoop
        let exchange: NIOLoopBound<LoginExchange>
    }

    /// For all servers of the process: each look may take as much memory as the configuration allows a hash.
    private static let threads: NIOThreadPool = {
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        return threads
    }()

    private let key: LoginKey
    private let table = Mutex(LoginTable<Waiter>())

    init() {
        var generator = SystemRandomNumberGenerator()
        key = LoginKey((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// What stands for a user and a password.
    func digest(of claim: PasswordClaim) -> LoginDigest { key.digest(of: claim) }

    /// Whether the password was found right lately.
    func remembers(_ digest: LoginDigest) -> Bool { table.withLock { $0.remembers(digest, now: .now) } }

    /// Has a password looked at; the waiter is told on its event loop, later.
    ///
    /// - Returns: what is done for it.
    func look(
        at claim: PasswordClaim, _ digest: LoginDigest, from address: AddressGroup, _ waiter: Waiter
    ) -> LoginTable<Waiter>.Step {
        let step = table.withLock { $0.enter(digest, from: address, now: .now, waiter: waiter) }
        if case .look = step {
            Self.threads.submit { _ in
                let isRight = PasswordHashing.verify(claim.password, claim.hash) && claim.isKnown
                self.looked(digest, isRight: isRight)
            }
        }
        return step
    }

    private func looked(_ digest: LoginDigest, isRight: Bool) {
        let waiters = table.withLock { $0.looked(digest, isRight: isRight, now: .now) }
        for waiter in waiters {
            waiter.eventLoop.execute { waiter.exchange.value.wasLookedAt(isRight: isRight) }
        }
    }
}
