import Logging
import Observability
import Synchronization
import TunnelProtocol
import TunnelTransport

/// Tells of one server that its callers have to wait for descriptors, at most once a minute, and that it is over.
final class DescriptorShortage: Sendable {
    private static let silence: Duration = .seconds(60)

    private struct State {
        var mayTellAt = MonotonicInstant(nanoseconds: 0)
        var isTold = false
    }

    private let logger: Logger
    private let note: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameter note: keeps what was told, as the server's latest fault.
    init(logger: Logger, note: @escaping @Sendable (String) -> Void) {
        self.logger = logger
        self.note = note
    }

    func began(limit: Int) {
        let now = MonotonicInstant.now
        let isNews = state.withLock { state in
            guard now >= state.mayTellAt else { return false }
            state.mayTellAt = now.advanced(by: Self.silence)
            state.isTold = true
            return true
        }
        guard isNews else { return }
        let text =
            "all but a few of the \(limit) file descriptors are in use: new callers wait until others leave; "
            + "raise the limit on open files (ulimit -n, LimitNOFILE= of the unit)"
        note(text)
        logger.error("Out of file descriptors", metadata: [.errorMessage: "\(text)"])
    }

    func ended() {
        let wasTold = state.withLock { state in
            defer { state.isTold = false }
            return state.isTold
        }
        if wasTold { logger.notice("File descriptors are free again", metadata: [:]) }
    }
}
