import AgentStatus
import Foundation
import Logging
import Observability
import TestSupport
import TunnelConfiguration

@testable import History

/// A history of its own in a folder of its own, whose clock the test moves.
final class HistoryWorld {
    let folder: TemporaryFolder
    let log: AgentLog
    let keeper: HistoryKeeper
    private(set) var now = HistoryMoment.now
    var path: String { folder.path(of: "history.db") }

    init(_ folder: TemporaryFolder? = nil) throws {
        self.folder = try folder ?? TemporaryFolder()
        log = AgentLog(sink: try LogSink(path: self.folder.path(of: "agent.log"), format: .logfmt))
        keeper = HistoryKeeper(log)
    }

    deinit { log.close() }

    /// Has the history in the file, from when this returns.
    func open(keep: Duration = .seconds(86_400), maxBytes: Int = 64 << 20) async {
        keeper.apply(HistoryConfiguration(file: path, keep: keep, maxBytes: maxBytes))
        await keeper.untilIdle()
    }

    /// So much later, what came is dealt with.
    func tick(after milliseconds: Int64 = 1000) {
        now = now.later(milliseconds)
        keeper.tick(now)
    }

    func tell(_ request: EndedRequest) { log.requests.publish { _ in request } }

    func page(
        _ subject: HistoryQuery.Subject, _ change: (inout HistoryQuery) -> Void = { _ in }
    ) async throws -> HistoryPage {
        var query = HistoryQuery(subject)
        change(&query)
        return try await keeper.page(query)
    }

    /// Lines of the log so far that hold a text.
    func lines(_ text: String) throws -> [String] {
        log.close()
        return try folder.text(of: "agent.log").split(separator: "\n").map(String.init).filter {
            $0.contains(text)
        }
    }

    /// What the sqlite3 library of another process would do to the file.
    func connection() throws -> SQLiteConnection {
        try SQLiteConnection(path: path, .write, followsLinks: true, patience: .seconds(5))
    }
}
