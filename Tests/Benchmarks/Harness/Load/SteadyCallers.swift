import BenchmarkReport
import Foundation
import Synchronization
import TestSupport

/// Callers that keep their connections and ask at a steady pace, whatever the answers do.
///
/// A request that is late because the one before it was late counts from the moment at which it should have been sent:
/// else a second without answers would be one slow request of many.
final class SteadyCallers: Sendable {
    /// What they met in one span of time.
    struct Result {
        /// In milliseconds, of those that failed until they did.
        var milliseconds: [Double] = []
        /// What went wrong, a text for each.
        var faults: [String] = []

        func percentile(_ share: Double) throws -> Double {
            guard let value = Statistics.percentile(share, of: milliseconds) else {
                throw TestFailure("no request came to an end")
            }
            return value
        }
    }

    private let result = Mutex(Result())
    private let isOver = Atomic(false)
    /// Which span of time it is.
    private let span = Atomic(0)
    private let crew: Mutex<Crew?> = Mutex(nil)

    /// Starts them.
    ///
    /// - Parameters:
    ///   - count: how many, each with a connection and a thread.
    ///   - interval: from one request of a caller to its next, in milliseconds.
    init(_ entrance: Way.Entrance, count: Int = 4, interval: Int = 20) {
        let threads = Crew(count) { [self] number in
            var due = ContinuousClock.now + .milliseconds(interval * number / count)
            var (stream, known): (RawStream?, Int) = (nil, 0)
            while !isOver.load(ordering: .relaxed) {
                let now = span.load(ordering: .relaxed)
                // What should have been sent in the span before is not made up for in this one.
                if now != known { (known, due) = (now, max(due, .now)) }
                let pause = ContinuousClock.now.duration(to: due) / .microseconds(1)
                if pause > 0 { usleep(UInt32(pause)) }
                // Where the thread slept too long, that is the machine's, not the tunnel's.
                ask(entrance, on: &stream, from: pause > 0 ? .now : due)
                due += .milliseconds(interval)
            }
            stream?.close()
        }
        crew.withLock { $0 = threads }
    }

    private func ask(
        _ entrance: Way.Entrance, on stream: inout RawStream?, from start: ContinuousClock.Instant
    ) {
        do {
            var current = try stream ?? RawStream(port: entrance.port)
            stream = current
            try current.fetchSmall(entrance)
            stream = current
        } catch {
            stream?.close()
            stream = nil
            result.withLock { $0.faults.append("\(error)") }
        }
        let time = start.duration(to: .now) / .milliseconds(1)
        result.withLock { $0.milliseconds.append(time) }
    }

    /// What they have met since this was last asked for; another span of time begins.
    func take() -> Result {
        span.add(1, ordering: .relaxed)
        return result.withLock { result in
            defer { result = Result() }
            return result
        }
    }

    /// Lets requests under way end.
    func stop() throws {
        isOver.store(true, ordering: .relaxed)
        try crew.withLock { $0 }?.wait(within: .seconds(90))
    }
}
