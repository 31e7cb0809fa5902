import BenchmarkReport
import Foundation
import Synchronization
import TestSupport

/// Callers at a steady pace, each request on a connection of its own: what they meet is what people meet. Unlike wrk,
/// they do not ask less when answers are slow.
final class Callers: Sendable {
    /// What the callers met.
    struct Result {
        /// From the attempt to connect to the last byte, in milliseconds; of good answers alone.
        var milliseconds: [Double] = []
        /// What went wrong, a text for each.
        var faults: [String] = []
    }

    private let result = Mutex(Result())
    private let isOver = Atomic(false)
    private let crew: Mutex<Crew?> = Mutex(nil)

    /// Starts them.
    ///
    /// - Parameters:
    ///   - tokens: of the tunnels that are asked in turn.
    ///   - count: how many callers, with a thread each.
    ///   - interval: from one request of a caller to its next, in milliseconds. What was late is not made up for.
    init(port: Int, tokens: [String], count: Int = 8, interval: Int = 20) {
        let threads = Crew(count) { [self] number in
            var index = tokens.count * number / count
            while !isOver.load(ordering: .relaxed) {
                let next = ContinuousClock.now + .milliseconds(interval)
                ask(Way.Entrance(port: port, fields: [(name: "X-Token", value: tokens[index])]))
                // A step that has no divisor in common with round numbers: neighbours are not asked in a row.
                index = (index + 1009) % tokens.count
                let pause = ContinuousClock.now.duration(to: next) / .microseconds(1)
                if pause > 0 { usleep(UInt32(pause)) }
            }
        }
        crew.withLock { $0 = threads }
    }

    private func ask(_ entrance: Way.Entrance) {
        let start = ContinuousClock.now
        do {
            var stream = try RawStream(port: entrance.port)
            defer { stream.close() }
            try stream.fetchSmall(entrance)
            let time = start.duration(to: .now) / .milliseconds(1)
            result.withLock { $0.milliseconds.append(time) }
        } catch {
            result.withLock { $0.faults.append("\(error)") }
        }
    }

    /// Lets requests under way end, and tells what all met.
    func stop() throws -> Result {
        isOver.store(true, ordering: .relaxed)
        try crew.withLock { $0 }?.wait(within: .seconds(90))
        return result.withLock(\.self)
    }
}
