import Synchronization
import TunnelProtocol

/// The share that one token has of the process's memory for received data.
///
/// A token holds at most as much as it leaves to the others, so that the next one always finds half of what was left;
/// and what is drawn at once is an eighth at most of what the token may still draw, so that few large windows do not
/// leave nothing for the beginnings of many.
package final class TokenReceiveBudget: ReceiveBudget {
    private let process: ProcessReceiveBudget
    private let held = Atomic<Int>(0)

    package init(of process: ProcessReceiveBudget) {
        self.process = process
    }

    package var isShort: Bool { process.isShort }

    package func take(_ bytes: Int) -> Bool {
        // Two loops that look at one time may go beyond by what both draw, never beyond what there is.
        guard Self.allows(bytes, held: held.load(ordering: .relaxed), unused: process.unused),
            process.take(bytes)
        else { return false }
        held.add(bytes, ordering: .relaxed)
        return true
    }

    package func giveBack(_ bytes: Int) {
        held.subtract(bytes, ordering: .relaxed)
        process.giveBack(bytes)
    }

    package func count(_ bytes: Int) {
        held.add(bytes, ordering: .relaxed)
        process.count(bytes)
    }

    /// Whether a token that holds so much may draw so many bytes.
    static func allows(_ bytes: Int, held: Int, unused: Int) -> Bool { bytes <= (unused - held) / 8 }
}
