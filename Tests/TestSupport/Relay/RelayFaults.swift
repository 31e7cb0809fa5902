/// What a `FaultyRelay` does wrong. All of it may be combined; the relay's `change` switches it while it runs, but for
/// the delay.
package struct RelayFaults: Sendable {
    /// What becomes of requests for another protocol.
    package enum Upgrades: Hashable, Sendable {
        case passed
        /// Never answered, and not passed on.
        case swallowed
        /// Passed on without `Upgrade` and `Connection`, as by a proxy that obeys RFC 9110 §7.6.1 to the letter.
        case stripped
        /// The server's 101 ends the connection, before it or behind it.
        case cut(isAnswered: Bool)
    }

    package var upgrades = Upgrades.passed
    /// How long after it was accepted a connection is cut, whatever goes on in it.
    package var cutAfter: Duration?
    /// Of so many answers of the server one is read whole, and the client's connection closed without a byte of it.
    package var lostAnswer: Int?
    /// Of so many requests one reaches the server twice, over another connection the second time; the client gets
    /// either answer.
    package var repeatedRequest: Int?
    /// Of so many requests one waits until the next has passed it, or for `longestWait` when none comes.
    package var overtakenRequest: Int?
    package var longestWait = Duration.milliseconds(50)
    /// An answer is held back, head and all, until more bytes of its body than that have come, or it is whole.
    package var heldBytes: Int?
    /// A connection is accepted only when the one before has ended; the others wait in the kernel's queue.
    package var isOneAtATime = false
    /// Requests are answered with a page of the relay's own.
    package var blockPage = false
    /// Requests with a longer body are answered with 413.
    package var longestBody: Int?
    /// How long each byte is under way, in each direction.
    package var delay: Duration?

    package init() {}

    /// Faults made by a closure, for a line in a test.
    package init(_ body: (inout Self) -> Void) { body(&self) }
}

/// How often a `FaultyRelay` did what.
package final class RelayCounts: Sendable {
    package let accepted = WaitableCounter()
    package let requests = WaitableCounter()
    package let cut = WaitableCounter()
    package let lost = WaitableCounter()
    package let repeated = WaitableCounter()
    /// Requests that another has overtaken.
    package let overtaken = WaitableCounter()
    /// Answers of which something was held back for a while.
    package let held = WaitableCounter()
    /// Requests for another protocol, whatever became of them.
    package let upgrades = WaitableCounter()
    package let swallowed = WaitableCounter()
    package let stripped = WaitableCounter()
    /// Connections that became something else by a 101 and were let live.
    package let switched = WaitableCounter()
    /// Requests answered by the relay itself.
    package let answered = WaitableCounter()
}

/// One of so many, at a place that is drawn anew for each so many.
struct Draw: Sendable {
    private var next = 0
    private var chosen = 0
    private var of = 0

    mutating func isIt(oneIn count: Int?, _ random: inout SplitMix64) -> Bool {
        guard let count else { return false }
        if next == 0 || of != count {
            (next, chosen, of) = (0, Int.random(in: 0..<count, using: &random), count)
        }
        defer { next = (next + 1) % count }
        return next == chosen
    }
}
