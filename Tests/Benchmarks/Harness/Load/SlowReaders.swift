import Foundation
import Synchronization
import TestSupport

/// Callers that ask for a large body and take little of it: 16 KiB, four times a second. One thread serves all.
final class SlowReaders: Sendable {
    private let isOver = Atomic(false)
    private let failure = Mutex<String?>(nil)
    private let crew: Mutex<Crew?> = Mutex(nil)

    /// Starts them; each has the head of its answer when this returns.
    init(_ body: Origins.Body, _ entrance: Way.Entrance, count: Int) throws {
        let streams = try (0..<count).map { _ in try RawStream(port: entrance.port) }
        for stream in streams { try stream.write(Transfer.head("GET", body.path, entrance, length: nil)) }
        let begun = WaitableCounter()
        let threads = Crew(1) { [self] _ in
            var streams = streams
            defer { for stream in streams { stream.close() } }
            do {
                for index in streams.indices {
                    guard try streams[index].readHead().first?.contains(" 200 ") == true else {
                        throw TestFailure("not answered with 200")
                    }
                }
                begun.add(1)
                while !isOver.load(ordering: .relaxed) {
                    // Each may wait for as long as a whole run takes.
                    for index in streams.indices where !isOver.load(ordering: .relaxed) {
                        _ = try streams[index].drop(16_384)
                    }
                    usleep(250_000)
                }
            } catch {
                failure.withLock { $0 = "\(error)" }
                begun.add(1)
            }
        }
        crew.withLock { $0 = threads }
        try begun.wait(for: 1, within: .seconds(60), what: "slow readers to begin")
    }

    /// Breaks them off.
    ///
    /// - Throws: `TestFailure` when one of them failed before.
    func stop() throws {
        isOver.store(true, ordering: .relaxed)
        try crew.withLock { $0 }?.wait(within: .seconds(90))
        if let failure = failure.withLock(\.self) { throw TestFailure("a slow reader: \(failure)") }
    }
}
