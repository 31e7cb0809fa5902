internal import DequeModule
internal import HostSystem
internal import Synchronization

/// The latest of what happened, in order and numbered: for any number of readers, each at its own pace. Who falls behind
/// misses the oldest, and is told how many.
package final class Feed<Element: Sendable>: Sendable {
    /// What came behind a place in the feed.
    package struct Batch: Sendable {
        package let elements: [Element]
        /// The place behind them, to read on from.
        package let last: UInt64
        /// How many that came before them were no longer there.
        package let missed: UInt64
    }

    private struct State: Sendable {
        var elements: Deque<Element> = []
        /// The number before the first one.
        let beginning: UInt64
        /// Of the latest.
        var count: UInt64
        var readers = 0
        /// Those who are to be woken by the next.
        var waiting = 0
    }

    private let capacity: Int
    private let state: Mutex<State>
    /// The number of the latest, as far as somebody waited for it.
    private let arrived = Monitor<UInt64>(0)
    private let wanted = Atomic<Bool>(false)

    /// - Parameters:
    ///   - capacity: how many are kept.
    ///   - beginning: the first number is the next one.
    package init(capacity: Int, beginningBehind beginning: UInt64 = 0) {
        self.capacity = capacity
        state = Mutex(State(beginning: beginning, count: beginning))
    }

    /// Whether somebody has said that he reads: where making an element costs something, it is made only then.
    package var isWanted: Bool { wanted.load(ordering: .relaxed) }

    /// - Parameter make: is given the number of the element, and called while a lock is held.
    package func publish(_ make: (UInt64) -> Element) {
        let awaited = state.withLock { state -> UInt64? in
            state.count += 1
            state.elements.append(make(state.count))
            if state.elements.count > capacity { state.elements.removeFirst() }
            return state.waiting > 0 ? state.count : nil
        }
        if let awaited { arrived.change { $0 = max($0, awaited) } }
    }

    /// The number of the latest; where there is none, the one before the first.
    package var last: UInt64 { state.withLock { $0.count } }

    /// Whether a number is of an element that there was here, or the one before the first: what came behind it is known, or
    /// known to be missed.
    package func knows(_ number: UInt64) -> Bool {
        state.withLock { number >= $0.beginning && number <= $0.count }
    }

    /// What came behind the one of that number.
    ///
    /// - Parameters:
    ///   - number: one that has not come yet counts as the latest, one of before the first as that before the first.
    ///   - most: elements at once, the oldest of those that are there.
    package func read(after number: UInt64, most: Int = .max) -> Batch {
        state.withLock { Self.batch(of: $0, after: number, most) }
    }

    /// The same, once there is something.
    ///
    /// - Returns: nil when that takes longer than the patience, or the task is cancelled.
    package func next(after number: UInt64, most: Int = .max, within patience: Duration) async -> Batch? {
        await withTaskGroup(of: Batch?.self) { group in
            group.addTask {
                await self.waitForMore(than: number) ? self.read(after: number, most: most) : nil
            }
            group.addTask {
                try? await Task.sleep(for: patience)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// - Returns: false where the task is cancelled before.
    private func waitForMore(than number: UInt64) async -> Bool {
        let isThere = state.withLock { state in
            state.waiting += 1
            return state.count > number
        }
        defer { state.withLock { $0.waiting -= 1 } }
        if isThere { return true }
        return await arrived.wait { $0 > number ? true : nil } ?? false
    }

    private static func batch(of state: State, after number: UInt64, _ most: Int) -> Batch {
        let number = max(state.beginning, min(number, state.count))
        let first = state.count - UInt64(state.elements.count)
        let missed = number < first ? first - number : 0
        let elements = Array(state.elements.dropFirst(Int(number + missed - first)).prefix(most))
        return Batch(
            elements: elements, last: number + missed + UInt64(elements.count), missed: missed)
    }

    /// Says that elements are wanted from now on, until `unsubscribe`.
    package func subscribe() { count(1) }

    package func unsubscribe() { count(-1) }

    private func count(_ change: Int) {
        state.withLock { state in
            state.readers += change
            wanted.store(state.readers > 0, ordering: .relaxed)
        }
    }
}
