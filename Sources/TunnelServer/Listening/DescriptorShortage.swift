import AgentStatus
import HostSystem
import Logging
import Observability
import Synchronization
import TunnelTransport

/// Tells of one server that its callers have to wait for descriptors, at most once a minute, and that it is over.
final class DescriptorShortage: Sendable {
    private struct State {
        var warning = RepeatedWarning()
        /// While there is one.
        var fault: FaultSnapshot?
        /// Whether the log was told of this one.
        var isTold = false
    }

    private let logger: Logger
    private let note: @Sendable (String) -> FaultSnapshot
    private let state = Mutex(State())

    /// - Parameter note: keeps it as the server's latest fault too.
    init(logger: Logger, note: @escaping @Sendable (String) -> FaultSnapshot) {
        self.logger = logger
        self.note = note
    }

    /// What is wrong now; nil while there are enough.
    var fault: FaultSnapshot? { state.withLock { $0.fault } }

    func began(limit: Int) {
        let text =
            "all but a few of the \(limit) file descriptors are in use: new callers wait until others leave; "
            + "raise the limit on open files (ulimit -n, LimitNOFILE= of the unit)"
        let isNews = state.withLock { state in
            if state.fault == nil { state.fault = note(text) }
            guard state.warning.happened() != nil else { return false }
            state.isTold = true
            return true
        }
        guard isNews else { return }
        logger.tell(
            .loadShed, .error, "Out of file descriptors",
            metadata: [.errorMessage: "\(text)", .errorCode: .code(.outOfDescriptors)])
    }

    func ended() {
        let wasTold = state.withLock { state in
            defer {
                state.fault = nil
                state.isTold = false
            }
            return state.isTold
        }
        if wasTold { logger.tell(.loadShed, .notice, "File descriptors are free again") }
    }
}
