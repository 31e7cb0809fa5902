import Foundation
import Synchronization
import TestSupport

/// Runs a body as many times at once, each on a thread of its own, and gives the results in the order of
/// their numbers.
///
/// - Throws: the error of the first, by number, that failed, when all have ended.
func inThreads<Value: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) throws -> Value
) throws -> [Value] {
    let results = Mutex<[Int: Result<Value, any Error>]>([:])
    let ended = DispatchGroup()
    for number in 0..<count {
        ended.enter()
        Thread.detachNewThread {
            let result = Result { try body(number) }
            results.withLock { $0[number] = result }
            ended.leave()
        }
    }
    ended.wait()
    return try results.withLock { results in try (0..<count).compactMap { try results[$0]?.get() } }
}

/// A body that runs on a thread of its own, and its result once it is there.
final class Background<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let ended = Gate()

    init(_ body: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread { [self] in
            let result = Result { try body() }
            self.result.withLock { $0 = result }
            ended.open()
        }
    }

    /// Whether it has ended.
    var isOver: Bool { result.withLock { $0 != nil } }

    /// Waits for its end.
    @discardableResult
    func value(within limit: Duration = .seconds(30)) throws -> Value {
        try ended.wait(within: limit)
        guard let result = result.withLock({ $0 }) else { throw TestFailure("no result") }
        return try result.get()
    }
}

extension Array where Element == Duration {
    /// The value that so many hundredths of them do not exceed.
    func percentile(_ hundredths: Int) -> Duration {
        let ordered = sorted()
        return ordered[Swift.min(ordered.count - 1, ordered.count * hundredths / 100)]
    }
}
