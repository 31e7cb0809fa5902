import NIOCore

/// Whether a connection is asked to leave, and when.
enum ConnectionLeaving: Hashable, Sendable {
    case no
    /// The next answer is the last.
    case afterAnswer
    /// The same; one without a request is closed by then.
    case by(NIODeadline)

    /// Before an idle one is closed: what has come already is read in that time.
    static let glance: TimeAmount = .milliseconds(100)

    var isAsked: Bool { self != .no }

    /// When one without a request is closed, apart from its other limits.
    var deadline: NIODeadline {
        if case .by(let deadline) = self { return deadline }
        return .distantFuture
    }

    /// It was asked before, or is now.
    mutating func ask() { if case .no = self { self = .afterAnswer } }

    /// It goes by then, if not before.
    mutating func go(by deadline: NIODeadline) { self = .by(min(self.deadline, deadline)) }

    /// One that was asked has until then, whatever it had.
    mutating func extend(to deadline: NIODeadline) { if isAsked { self = .by(deadline) } }
}
