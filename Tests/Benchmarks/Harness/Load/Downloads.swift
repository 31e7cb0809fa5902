import Foundation
import Synchronization
import TestSupport

/// Downloads that saturate a way, one after the other on each connection, until they are stopped.
///
/// A few threads serve all of them: with one for each, hundreds of threads that wake for every piece cost more than what
/// is measured.
final class Downloads: Sendable {
    private static let mostThreads = 2

    private struct Download {
        var stream: RawStream
        /// Bytes that are still to come.
        var left: Int
    }

    private let bytes = Mutex(0)
    private let isOver = Atomic(false)
    private let begun = WaitableCounter()
    private let failures = Mutex<[String]>([])
    private let crew: Mutex<Crew?>

    init(_ body: Origins.Body, _ entrance: Way.Entrance, atOnce count: Int) throws {
        crew = Mutex(nil)
        let threads = min(count, Self.mostThreads)
        let workers = Crew(threads) { [self] number in
            let share = count / threads + (number < count % threads ? 1 : 0)
            do {
                try run(share, body, entrance)
            } catch {
                failures.withLock { $0.append("\(error)") }
                begun.add(share)
            }
        }
        crew.withLock { $0 = workers }
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

    private func run(_ count: Int, _ body: Origins.Body, _ entrance: Way.Entrance) throws {
        var downloads: [Download] = []
        defer { for download in downloads { download.stream.close() } }
        for _ in 0..<count {
            downloads.append(try begin(body, entrance))
            begun.add(1)
        }
        while !isOver.load(ordering: .relaxed) {
            for index in RawStream.readable(among: downloads.map(\.stream), within: 100) {
                let taken = try downloads[index].stream.dropSome(downloads[index].left)
                bytes.withLock { $0 += taken }
                downloads[index].left -= taken
                guard downloads[index].left == 0 else { continue }
                let next = try begin(body, entrance)
                downloads[index].stream.close()
                downloads[index] = next
            }
        }
    }

    private func begin(_ body: Origins.Body, _ entrance: Way.Entrance) throws -> Download {
        var stream = try Transfer.beginDownload(body, entrance)
        do {
            // What came with the head is not counted, and no poll would tell of it.
            return Download(stream: stream, left: body.size - (try stream.dropSome(body.size)))
        } catch {
            stream.close()
            throw error
        }
    }
}
