import Synchronization
import TunnelProtocol

/// Counts the requests of one token, from any of its sessions' event loops.
final class RequestNumbers: RequestNumbering {
    private let last = Atomic<UInt64>(0)

    func next() -> UInt16 {
        let count = last.add(1, ordering: .relaxed).newValue
        return UInt16(truncatingIfNeeded: count % UInt64(RequestNumber.modulus))
    }
}
