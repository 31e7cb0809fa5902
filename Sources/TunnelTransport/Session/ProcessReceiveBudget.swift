import Synchronization
import TunnelProtocol

/// Memory for received data that all sessions of the process share.
package final class ProcessReceiveBudget: ReceiveBudget {
    /// What one process buffers at most beyond the minimum of each stream, in bytes; nothing more is drawn while both
    /// together are so much.
    package static let defaultBytes = 128 << 20

    /// What there is, in bytes.
    package let total: Int
    private let left: Atomic<Int>
    private let squeezed = Atomic<Bool>(false)

    package init(bytes: Int = ProcessReceiveBudget.defaultBytes) {
        self.total = bytes
        self.left = Atomic(bytes)
    }

    /// Whether a quarter is drawn: many do not read, or a few are fast and far away. Or the process is short of memory.
    package var isShort: Bool { unused < total / 4 * 3 || isSqueezed }

    /// Whether the process is short of memory, whatever is drawn here.
    package var isSqueezed: Bool {
        get { squeezed.load(ordering: .relaxed) }
        set { squeezed.store(newValue, ordering: .relaxed) }
    }

    /// What is drawn, in bytes: more than there is where what came is counted that nobody asked for.
    package var used: Int { total - unused }

    /// What nobody has drawn.
    var unused: Int { left.load(ordering: .relaxed) }

    package func take(_ bytes: Int) -> Bool {
        if left.subtract(bytes, ordering: .relaxed).newValue >= 0 { return true }
        left.add(bytes, ordering: .relaxed)
        return false
    }

    package func giveBack(_ bytes: Int) {
        left.add(bytes, ordering: .relaxed)
    }

    package func count(_ bytes: Int) {
        left.subtract(bytes, ordering: .relaxed)
    }
}
