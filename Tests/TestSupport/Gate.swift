import Foundation

/// A gate between threads: closed at first, and open for good once opened.
package final class Gate: Sendable {
    private let counter = WaitableCounter()

    package init() {}

    package var isOpen: Bool { counter.value > 0 }

    /// Lets through whoever waits and whoever comes.
    package func open() { counter.add(1) }

    /// Waits until it is open.
    ///
    /// - Throws: `TestFailure` when the time is up first.
    package func wait(within limit: Duration = .seconds(20)) throws {
        try counter.wait(for: 1, within: limit, what: "the gate to open")
    }
}

/// A count that only grows and that threads can wait for.
package final class WaitableCounter: @unchecked Sendable {
    // Guarded by `condition`.
    private var count = 0
    private let condition = NSCondition()

    package init() {}

    /// The present count.
    package var value: Int { condition.withLock { count } }

    package func add(_ increment: Int) {
        condition.withLock {
            count += increment
            condition.broadcast()
        }
    }

    /// Waits until the count has reached a number.
    ///
    /// - Throws: `TestFailure` when the time is up first.
    package func wait(for target: Int, within limit: Duration, what: String) throws {
        let deadline = Date(timeIntervalSinceNow: limit.inSeconds)
        try condition.withLock {
            while count < target {
                guard condition.wait(until: deadline) else {
                    throw TestFailure("waited \(limit) for \(what): \(count) of \(target)")
                }
            }
        }
    }
}

/// Runs a body that blocks on a thread of its own, so that Swift's tasks keep theirs.
package func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

extension Duration {
    /// The duration as a number of seconds, for the interfaces that want one.
    var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
