import Foundation
import Synchronization
import TestSupport

/// Downloads that saturate a way, one after the other on each connection, until they are stopped.
final class Downloads: Sendable {
    private let bytes = Mutex(0)
    private let isOver = Atomic(false)
    private let begun = WaitableCounter()
    private let failures = Mutex<[String]>([])
    private let count: Int
    private let crew: Mutex<Crew?>

    init(_ body: Origins.Body, _ entrance: Way.Entrance, atOnce count: Int) throws {
        self.count = count
        crew = Mutex(nil)
        let threads = Crew(count) { [self] _ in
            do {
                while !isOver.load(ordering: .relaxed) { try download(body, entrance) }
            } catch {
                failures.withLock { $0.append("\(error)") }
                begun.add(1)
            }
        }
        crew.withLock { $0 = threads }
        try begun.wait(for: count, within: .seconds(30), what: "downloads to begin")
    }

    /// What has come so far.
    var byteCount: Int { bytes.withLock { $0 } }

    /// Breaks them off.
    ///
    /// - Throws: `TestFailure` when one of them failed before.
    func stop() throws {
        isOver.store(true, ordering: .relaxed)
        try crew.withLock { $0 }?.wait(within: .seconds(60))
        if let failure = failures.withLock({ $0.first }) { throw TestFailure("a download: \(failure)") }
    }

    private func download(_ body: Origins.Body, _ entrance: Way.Entrance) throws {
        var stream = try RawStream(port: entrance.port)
        defer { stream.close() }
        try stream.write(Transfer.head("GET", body.path, entrance, length: nil))
        guard try stream.readHead().first?.contains(" 200 ") == true else {
            throw TestFailure("not answered with 200")
        }
        begun.add(1)
        var left = body.size
        while left > 0, !isOver.load(ordering: .relaxed) {
            let piece = try stream.drop(min(left, 1 << 20))
            left -= piece
            bytes.withLock { $0 += piece }
        }
    }
}
