import AgentStatus
import HostSystem
import Logging
import Observability
import Reconciliation
import Routing
import TunnelServer

/// Brings what the servers count of each month's bytes into the file, and what other agents have put there to the servers.
@AgentActor final class UsageKeeper: AgentService {
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

    func apply(_ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup) {
        let usage = preparation.usage
        guard usage?.file.path != file?.path else { return }
        file = usage?.file
        month = nil
        if let usage { ledger.adopt(usage.content, of: usage.file.path) }
        ledger.begin(UsageMonth(unixTime: UnixTime.now))
    }

    /// Keeps the file until the task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: Self.interval)) != nil { await write() }
    }

    func finish(within patience: Duration) async { await write() }

    /// Writes what there is to write.
    private func write() async {
        let month = UsageMonth(unixTime: UnixTime.now)
        ledger.begin(month)
        guard let file else { return }
        let (ledger, isNewMonth) = (ledger, month != self.month)
        // One after another on one thread: nothing is counted twice, whoever else writes.
        let failure = await disk.runToTheEnd { () -> UsageFileError? in
            let news = ledger.news
            guard isNewMonth || !news.isEmpty else { return nil }
            do throws(UsageFileError) {
                ledger.wrote(news, of: try file.add(news, in: month), in: file.path)
                return nil
            } catch {
                return error
            }
        }
        guard file.path == self.file?.path else { return }
        if let failure {
            if !isFailing {
                logger.tell(
                    .error, .error, "Cannot write the bytes of the month",
                    metadata: [.errorMessage: "\(failure)"])
            }
        } else {
            self.month = month
            if isFailing { logger.notice("The bytes of the month are written again", metadata: [:]) }
        }
        isFailing = failure != nil
    }
}
