import NIOCore

/// When a connection is closed that says nothing more, and how: decided here, done by `CallerHandler`.
///
/// Whatever waits in this process is lost when the connection is closed; what the kernel still has of it is lost when
/// it is reset, or closed with bytes of the caller unread. So the end waits until everything has arrived at the caller's
/// machine, for as long as bytes go out.
struct Farewell {
    enum Manner {
        /// Closed once everything has gone out.
        case close
        /// Our direction is closed behind what was written; the other one is read and dropped for a while.
        case linger
        /// Reset once everything has arrived: a close would make an answer look whole that is not.
        case reset
    }

    enum Step: Equatable {
        case wait(until: NIODeadline)
        case close
        case reset
    }

    struct Patience {
        /// How long nothing may move before it is given up.
        var stalled: TimeAmount
        /// How long a caller may be silent, once it has everything, before its direction is closed too.
        var silence: TimeAmount
        /// How long what it still sends is dropped, at most.
        var lingering: TimeAmount
    }

    /// How often the kernel is asked whether everything has arrived before a reset, while it moves. Callers that take
    /// nothing are looked at ever more seldom: they may be many, and stay for as long as the patience lasts.
    private static let resetPolls: ClosedRange<TimeAmount> = .milliseconds(20) ... .seconds(5)
    /// How long the caller's program has to read what arrived: some systems forget it with the reset.
    private static let readingTime: TimeAmount = .milliseconds(250)

    private let manner: Manner
    /// Whether what was written shows by itself that it is cut short.
    private let isDelimited: Bool
    private var patience: Patience
    private var isSent = false
    private var progress: DeliveryProgress
    private var lastHeard: NIODeadline
    /// Since when everything has been at the caller's machine.
    private var arrived: NIODeadline?
    /// When it ends however far it has come.
    private var deadline = NIODeadline.distantFuture

    init(_ manner: Manner, isDelimited: Bool, patience: Patience, now: NIODeadline) {
        self.manner = manner
        self.isDelimited = isDelimited
        self.patience = patience
        self.progress = DeliveryProgress(now: now)
        self.lastHeard = now
    }

    /// Everything was given to the kernel, our end included where there is one.
    mutating func sent() { isSent = true }

    /// The caller goes on sending.
    mutating func heard(now: NIODeadline) { lastHeard = now }

    /// The server leaves: a caller that has everything is not waited for any longer than it is silent.
    mutating func leave() { patience.lingering = patience.silence }

    /// It has to be over by then.
    mutating func hurry(until deadline: NIODeadline) { self.deadline = min(self.deadline, deadline) }

    /// - Parameter undelivered: bytes that have not arrived at the caller's machine.
    mutating func next(undelivered: Int, now: NIODeadline) -> Step {
        progress.sees(undelivered: undelivered, now: now)
        guard isSent else {
            let end = min(progress.last + patience.stalled, deadline)
            if now < end { return .wait(until: end) }
            return isDelimited ? .close : .reset
        }
        switch manner {
        case .close: return .close
        case .linger: return linger(now)
        case .reset: return reset(now)
        }
    }

    private mutating func linger(_ now: NIODeadline) -> Step {
        // Once our end is on its way the kernel needs nobody: what is waited for is that nothing comes in between.
        guard hasArrived(now) else {
            return wait(
                until: min(progress.last + patience.lingering, now + patience.silence), now, or: .close)
        }
        let silent = max(arrived ?? now, lastHeard) + patience.silence
        return wait(until: min(silent, (arrived ?? now) + patience.lingering), now, or: .close)
    }

    private mutating func reset(_ now: NIODeadline) -> Step {
        guard hasArrived(now) else {
            let poll = min(
                max(.nanoseconds((now - progress.last).nanoseconds / 4), Self.resetPolls.lowerBound),
                Self.resetPolls.upperBound)
            return wait(until: min(progress.last + patience.stalled, now + poll), now, or: .reset)
        }
        return wait(until: (arrived ?? now) + Self.readingTime, now, or: .reset)
    }

    private mutating func hasArrived(_ now: NIODeadline) -> Bool {
        if progress.undelivered == 0, arrived == nil { arrived = now }
        return progress.undelivered == 0
    }

    private func wait(until end: NIODeadline, _ now: NIODeadline, or step: Step) -> Step {
        let end = min(end, deadline)
        return now < end ? .wait(until: end) : step
    }
}
