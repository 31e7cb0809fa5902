import Synchronization
import TunnelProtocol

/// A receive budget that counts what is out.
final class TestBudget: ReceiveBudget {
    let total: Int
    let isShort: Bool
    private let counts: Mutex<(taken: Int, most: Int, counted: Int)>

    init(_ total: Int, isShort: Bool = false) {
        self.total = total
        self.isShort = isShort
        counts = Mutex((0, 0, 0))
    }

    var taken: Int { counts.withLock { $0.taken } }
    /// The most that was ever out at once.
    var most: Int { counts.withLock { $0.most } }

    /// What is used without having been taken.
    var counted: Int { counts.withLock { $0.counted } }

    func take(_ bytes: Int) -> Bool {
        counts.withLock {
            guard $0.taken + bytes <= total else { return false }
            $0.taken += bytes
            $0.most = max($0.most, $0.taken)
            return true
        }
    }

    func giveBack(_ bytes: Int) { counts.withLock { $0.taken -= bytes } }

    func count(_ bytes: Int) { counts.withLock { $0.counted += bytes } }
}
