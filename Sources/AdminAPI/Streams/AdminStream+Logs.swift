import AgentStatus
import Logging
import NIOCore
import Observability
import Synchronization

extension AdminStream {
    /// How long there is nothing to tell before a comment says that the stream lives.
    private static let silence: Duration = .seconds(15)
    /// Lines in one piece.
    private static let most = 256

    /// What was left to tell when it was last asked.
    private struct Place: Sendable {
        /// Warnings of before, the next one first.
        var backlog: [LogEntry]
        /// The ids of all warnings that were there: such a one may come again among the lines.
        let warnings: Set<UInt64>
        /// In the lines.
        var number: UInt64
    }

    /// The latest warnings, then the log's lines while they are written, each an event `line`; how many were missed as an
    /// event `missed`.
    ///
    /// - Parameters:
    ///   - lastID: of the last line that the receiver has had, in the agent's life or before: warnings up to it are left out.
    ///   - follows: false to end behind the warnings.
    ///   - isWanted: whether a line is told.
    static func lines(
        of logs: LogFeed, from level: Logger.Level, after lastID: UInt64?, follows: Bool,
        where isWanted: @escaping @Sendable (LogEntry) -> Bool
    ) -> AdminStream {
        let listening = follows ? logs.listen(from: level) : nil
        let number = logs.lines.last
        let warnings = logs.warnings.read(after: 0).elements
        // What lies ahead is not of this log: a clock was set back meanwhile.
        let toldID = lastID.flatMap { $0 <= logs.lastID ? $0 : nil } ?? 0
        let place = Mutex(
            Place(
                backlog: warnings.filter { $0.id > toldID && $0.isAtLeast(level) && isWanted($0) },
                warnings: Set(warnings.map(\.id)), number: number))
        return AdminStream(mediaType: "text/event-stream") {
            let backlog = place.withLock { place in
                defer { place.backlog.removeAll() }
                return place.backlog
            }
            if !backlog.isEmpty { return ByteBuffer(string: text(of: backlog, missed: 0)) }
            guard let listening else { return nil }
            let (number, warnings) = place.withLock { ($0.number, $0.warnings) }
            let lines = listening.logs.lines
            guard let batch = await lines.next(after: number, most: most, within: silence) else {
                return Task.isCancelled ? nil : ByteBuffer(string: ":\n\n")
            }
            place.withLock { $0.number = batch.last }
            let wanted = batch.elements.filter { entry in
                entry.isAtLeast(level) && isWanted(entry) && !warnings.contains(entry.id)
            }
            return ByteBuffer(string: text(of: wanted, missed: batch.missed))
        }
    }

    /// A comment where there is nothing to tell.
    private static func text(of entries: [LogEntry], missed: UInt64) -> String {
        var text = missed == 0 ? "" : "event: missed\ndata: \(missed)\n\n"
        for entry in entries {
            guard let json = try? JSONText.string(of: entry) else { continue }
            text += "id: \(entry.id)\nevent: line\ndata: \(json)\n\n"
        }
        return text.isEmpty ? ":\n\n" : text
    }
}

extension LogEntry {
    fileprivate func isAtLeast(_ level: Logger.Level) -> Bool {
        Logger.Level(rawValue: self.level).map { $0 >= level } ?? false
    }
}
