package import AgentStatus
internal import HostSystem
internal import Logging
package import Observability
internal import Synchronization
package import TunnelConfiguration

/// The history of an agent: takes what happens from its feeds, and keeps it in a file or, where none is named or it cannot be
/// used, the latest in memory.
///
/// Who feeds it never waits: the feeds are rings, and what was no longer there when its turn came is counted as lost. The
/// file is written by one thread, and read by another over connections that can change nothing.
package final class HistoryKeeper: Sendable {
    /// Requests that went wrong which are kept where there is no file.
    private static let rememberedRequests = 1000
    /// Rows that are written at once.
    private static let mostAtOnce = 500
    /// Questions that wait or are answered at once.
    private static let mostQuestions = 4

    /// How far the feeds are read; for the disk's thread.
    private struct Reading {
        var desk = HistoryDesk()
        var sampling = RequestSampling()
        var eventsPlace: UInt64 = 0
        var requestsPlace: UInt64 = 0
        var troublesPlace: UInt64 = 0
        var isSubscribed = false
        var lastTick: Int64?
        var isClosed = false
    }

    /// What is asked from elsewhere, and never waits for a disk.
    private struct Shown {
        var shelf = HistoryShelf()
        var ledger = TotalsLedger()
        var snapshot = HistorySnapshot()
        /// The file that questions are answered from.
        var file: String?
        var isSuspect = false
        /// What questions meet where the file cannot be helped.
        var doubt: HistoryFault?
        var questions = 0

        mutating func takeSuspicion() -> Bool {
            defer { isSuspect = false }
            return isSuspect
        }
    }

    private let events: Feed<AgentEvent>
    private let requests: Feed<EndedRequest>
    private let troubles: Feed<EndedRequest>
    private let logger: Logger
    private let reading = Mutex(Reading())
    private let shown = Mutex(Shown())
    private let disk = DiskThread()
    private let questions = DiskThread()

    package init(_ log: AgentLog) {
        events = log.events.feed
        requests = log.requests
        troubles = log.troubles
        logger = log.makeLogger(label: "history")
    }

    /// From now on it is kept there; nil: in memory. Waits for no disk.
    package func apply(_ configuration: HistoryConfiguration?) {
        disk.begin {
            self.reading.withLock { reading in
                reading.desk.apply(configuration)
                self.subscribe(configuration != nil, &reading)
            }
            self.tick()
        }
    }

    private func subscribe(_ isWanted: Bool, _ reading: inout Reading) {
        guard isWanted != reading.isSubscribed else { return }
        reading.isSubscribed = isWanted
        if isWanted {
            requests.subscribe()
            reading.requestsPlace = requests.last
        } else {
            requests.unsubscribe()
            reading.troublesPlace = troubles.last
        }
    }

    /// Returns when what was begun before is done.
    func untilIdle() async { await disk.run {} }

    /// Keeps the history until the task is cancelled.
    package func run() async {
        while true {
            let pause = await disk.run { self.tick() }
            guard (try? await Task.sleep(for: pause)) != nil else { return }
        }
    }

    /// Writes the last of it, and closes the file.
    package func close() async {
        await disk.run {
            self.tick()
            self.reading.withLock { reading in
                self.subscribe(false, &reading)
                reading.desk.close()
                reading.isClosed = true
            }
            self.shown.withLock { $0.file = nil }
        }
    }

    /// What each server and tunnel has carried so far. To be told again and again.
    package func add(_ totals: HistoryTotals) {
        let now = UnixTime.milliseconds
        shown.withLock { shown in
            for (key, gain) in shown.ledger.gains(totals, at: now) { shown.shelf.add(gain, to: key) }
        }
    }

    package var snapshot: HistorySnapshot { shown.withLock { $0.snapshot } }

    // MARK: Writing

    /// Takes what has come, and writes it. Waits for the disk.
    ///
    /// - Returns: how long the next time may be away.
    @discardableResult
    func tick(_ now: HistoryMoment = .now) -> Duration {
        reading.withLock { reading in
            guard !reading.isClosed else { return .seconds(1) }
            let count = take(&reading, now: now.running)
            write(&reading, now: now)
            for news in reading.desk.takeNews() { tell(news) }
            // A feed holds some thousands.
            return count > 1000 ? .milliseconds(50) : count > 0 ? .milliseconds(250) : .milliseconds(500)
        }
    }

    /// - Returns: how many there were.
    private func take(_ reading: inout Reading, now: Int64) -> Int {
        let happened = events.read(after: reading.eventsPlace)
        reading.eventsPlace = happened.last
        let isSubscribed = reading.isSubscribed
        let ended =
            isSubscribed
            ? requests.read(after: reading.requestsPlace) : troubles.read(after: reading.troublesPlace)
        if isSubscribed { reading.requestsPlace = ended.last } else { reading.troublesPlace = ended.last }
        let seconds = Double(now - (reading.lastTick ?? now)) / 1000
        reading.lastTick = now
        let kept = reading.sampling.sample(ended.elements, seconds: seconds)
        shown.withLock { shown in
            shown.shelf.lose(happened.missed + ended.missed)
            for event in happened.elements { shown.shelf.add(event) }
            shown.shelf.count(ended.elements, knowsAll: isSubscribed)
            for request in kept { shown.shelf.add(request) }
        }
        return happened.elements.count + ended.elements.count
    }

    private func write(_ reading: inout Reading, now: HistoryMoment) {
        guard reading.desk.isWanted else {
            shown.withLock { shown in
                shown.shelf.forget(now: now.unix, mostRequests: Self.rememberedRequests)
                (shown.file, shown.doubt) = (nil, nil)
                shown.snapshot = reading.desk.snapshot
                shown.snapshot.count(shown.shelf)
            }
            return
        }
        if shown.withLock({ $0.takeSuspicion() }) { reading.desk.suspect(now: now) }
        var isMore = true
        while isMore {
            let shelf = shown.withLock { $0.shelf.take(most: Self.mostAtOnce) }
            let isWritten = reading.desk.write(shelf, now: now)
            isMore = shown.withLock { shown in
                if !isWritten { shown.shelf.putBack(shelf) }
                return isWritten && !shown.shelf.isEmpty
            }
        }
        shown.withLock { shown in
            shown.file = reading.desk.isInFile ? reading.desk.path : nil
            shown.doubt = reading.desk.doubt
            shown.snapshot = reading.desk.snapshot
            shown.snapshot.lost = shown.shelf.lost
            if shown.file == nil { shown.snapshot.count(shown.shelf) }
        }
    }

    private func tell(_ news: HistoryNews) {
        switch news {
        case .failing(let reason):
            logger.error(
                "Cannot write the history: the latest is kept in memory",
                metadata: [.errorMessage: "\(reason)"])
        case .recovered(let path):
            logger.notice("The history is written again", metadata: [.filePath: "\(path)"])
        case .unreadable(let reason):
            logger.error("The history cannot be read wholly", metadata: [.errorMessage: "\(reason)"])
        case .movedAside(let path, let place):
            logger.error(
                "The history was damaged: it was moved aside, and a new one is begun",
                metadata: [.filePath: "\(path)", .errorMessage: "it is \(place) now"])
        }
    }

    // MARK: Questions

    /// - Throws: where there are too many questions, or one takes too long.
    package func page(_ query: HistoryQuery) async throws(ActionError) -> HistoryPage {
        let mayAsk = shown.withLock { shown in
            guard shown.questions < Self.mostQuestions else { return false }
            shown.questions += 1
            return true
        }
        guard mayAsk else {
            throw ActionError(503, "several questions are being answered already — ask again")
        }
        defer { shown.withLock { $0.questions -= 1 } }
        let (file, memory) = shown.withLock { ($0.file, $0.file == nil ? $0.shelf.page(query) : nil) }
        if let memory { return memory }
        guard let file else { throw ActionError(503, "the history is closed") }
        let result = await questions.run { () -> Result<HistoryPage, SQLiteError> in
            do throws(SQLiteError) {
                return .success(try HistoryReader(path: file).page(query))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let page): return page
        case .failure(let error): throw refusal(error, file)
        }
    }

    private func refusal(_ error: SQLiteError, _ file: String) -> ActionError {
        switch error.reason {
        case .interrupted:
            return ActionError(
                503, "that took too long — ask for a shorter time, by since and until")
        case .busy: return ActionError(503, "\(file) is locked by another process — ask again")
        case .damaged:
            let doubt = shown.withLock { shown in
                shown.isSuspect = true
                return shown.doubt
            }
            // To ask again would be no use.
            if let doubt { return ActionError(500, doubt.description) }
            return ActionError(503, "\(file) is damaged; it is looked after — ask again")
        case .full, .readOnly, .other:
            return ActionError(503, "cannot read \(file): \(error.message)")
        }
    }
}

extension HistorySnapshot {
    fileprivate mutating func count(_ shelf: HistoryShelf) {
        (events, requests, minutes) = (shelf.events.count, shelf.requests.count, shelf.minutes.count)
        lost = shelf.lost
    }
}
