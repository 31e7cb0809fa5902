import HostSystem
import Logging
import Observability
import Routing
import TunnelServer

/// Brings what the servers count of each month's bytes into the file, and what other agents have put there to the servers.
@AgentActor final class UsageKeeper {
    /// Between two looks: so much of what was counted a crash may cost.
    static let interval: Duration = .seconds(10)

    private let ledger: UsageLedger
    private let disk = Blocking()
    private let logger: Logger
    private var file: UsageFile?
    private var month: UsageMonth?
    /// Whether the last try failed, which was told.
    private var isFailing = false

    init(_ ledger: UsageLedger, logger: Logger) {
        self.ledger = ledger
        self.logger = logger
    }

    /// From now on it is kept there.
    ///
    /// - Parameter usage: what the file holds already. Of another month it does not count.
    func apply(_ file: UsageFile?, _ usage: MonthlyUsage?) {
        guard file?.path != self.file?.path else { return }
        self.file = file
        month = nil
        guard let usage, usage.month == UsageMonth(unixTime: UnixTime.now).description else { return }
        ledger.wrote([:], of: usage)
    }

    /// Keeps the file until the task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: Self.interval)) != nil { await write() }
    }

    /// Writes what there is to write.
    func write() async {
        let (month, news) = (UsageMonth(unixTime: UnixTime.now), ledger.news)
        guard let file, !news.isEmpty || month != self.month else { return }
        let result = await disk.runToTheEnd {
            Result { () throws(UsageFileError) in try file.add(news, in: month) }
        }
        switch result {
        case .success(let usage):
            ledger.wrote(news, of: usage)
            self.month = month
            if isFailing { logger.notice("The bytes of the month are written again", metadata: [:]) }
            isFailing = false
        case .failure(let error):
            if !isFailing {
                logger.error("Cannot write the bytes of the month", metadata: [.errorMessage: "\(error)"])
            }
            isFailing = true
        }
    }
}
