import NIOCore

/// When a connection of HTTP/2 asks its origin for a sign of life (RFC 9113 §6.7), without I/O: while exchanges are under way
/// and nothing comes.
///
/// Servers of gRPC end a connection that asks more than twice in less than five minutes while they send nothing; so the
/// questions come ever more seldom, and those behind a cancelled exchange only where something has come since the last.
struct HTTP2Pulse {
    enum Due: Equatable {
        case nothing(until: NIODeadline)
        /// Ask, and look again.
        case ask
        /// It has not answered in time.
        case dead
    }

    /// The last pause counts from then on.
    private static let pauses: [Int64] = [1, 2, 4]
    private static let shortestLastPause = TimeAmount.seconds(310)

    /// How long nothing may come before the first question.
    private let quiet: TimeAmount
    /// How long an answer may take.
    private let patience: TimeAmount
    /// When something came, or the last question was answered.
    private var heard: NIODeadline
    private var asked: NIODeadline?
    /// Questions since something else than their answers came.
    private var questions = 0
    /// Cancelled exchanges of which the origin may not know yet; those of the question under way.
    private var cancelled = 0
    private var mayAskOfCancelled = true

    init(quiet: TimeAmount, patience: TimeAmount, now: NIODeadline) {
        self.quiet = quiet
        self.patience = patience
        heard = now
    }

    /// Whether an answer to a question is waited for.
    var isAsking: Bool { asked != nil }

    /// Part of an answer came.
    mutating func answerCame(now: NIODeadline) {
        heard = now
        questions = 0
        mayAskOfCancelled = true
    }

    /// Exchanges are under way again.
    mutating func began(now: NIODeadline) { heard = max(heard, now) }

    /// - Returns: for how many cancelled exchanges there is room now.
    mutating func wasAnswered(now: NIODeadline) -> Int {
        heard = now
        asked = nil
        defer { cancelled = 0 }
        return cancelled
    }

    /// An exchange was called off: the origin counts it until it knows.
    ///
    /// - Returns: whether its place stays taken until the next answer; and whether to ask now.
    mutating func cancels(now: NIODeadline) -> (holdsPlace: Bool, asks: Bool) {
        guard asked != nil || mayAskOfCancelled else { return (false, false) }
        cancelled += 1
        guard asked == nil else { return (true, false) }
        mayAskOfCancelled = false
        asked = now
        return (true, true)
    }

    mutating func due(now: NIODeadline) -> Due {
        if let asked {
            let end = asked + patience
            // Something may come though the question is not answered yet.
            if end <= now { return heard > asked ? goOn(now) : .dead }
            return .nothing(until: end)
        }
        let next = heard + pause
        guard next <= now else { return .nothing(until: next) }
        questions += 1
        asked = now
        return .ask
    }

    private mutating func goOn(_ now: NIODeadline) -> Due {
        asked = heard
        return .nothing(until: heard + patience)
    }

    private var pause: TimeAmount {
        guard questions < Self.pauses.count else { return max(quiet * 8, Self.shortestLastPause) }
        return quiet * Self.pauses[questions]
    }
}
