import NIOCore
import NIOHTTP2

/// One connection that speaks HTTP/2, without I/O: which streams it has taken, what both ends may send on it, how it leaves,
/// and how long it may be silent. `HTTP2CallerHandler` carries out what it decides; what is a stream's own, its
/// `HTTP2CallerStream` has.
struct HTTP2ConnectionMachine {
    /// What a connection may send before anything of it is taken, whatever memory there is, in bytes: two streams' worth.
    private static let freelyPromised = 128 << 10
    /// What that grows to: every stream's worth, and more.
    private static let mostPromised = 8 << 20
    /// What waits of all answers, in bytes, from which on each that waits is asked to.
    private static let mostWaiting = 256 << 10

    private enum State {
        /// Next: announced, leaving, farewell, over.
        case open
        /// The caller was told to open no more streams; those on their way come. Next: leaving, farewell, over.
        case announced(until: NIODeadline)
        /// No more streams are taken; those that were go on. Next: farewell, over.
        case leaving
        /// Nothing is said any more. Next: over.
        case farewell(Farewell)
        case over
    }

    /// What is due at a time.
    enum Due {
        case nothing(until: NIODeadline)
        /// The caller has had the time to hear that it should open no more streams.
        case refuseStreams
        /// No stream was open for too long, or none will be any more.
        case close
        /// The grace is over, and answers have not gone out.
        case cut
        case farewell
    }

    private let limits: ConnectionLimits
    private var state = State.open
    /// Whether it has taken a stream.
    private(set) var hasServed = false
    /// Since when no stream has been open.
    private var idleSince: NIODeadline?
    private var cutDeadline = NIODeadline.distantFuture
    /// The last one that was taken.
    private(set) var lastStream = HTTP2StreamID.rootStream
    var nuisance: HTTP2Nuisance
    var window = HTTP2ReceiveWindow(
        promised: Self.freelyPromised, most: Self.mostPromised, isShared: true)
    /// What the caller takes on all streams together.
    private(set) var sendWindow = HTTP2ReceiveWindow.initial
    /// What it takes on a new one.
    private(set) var initialSendWindow = HTTP2ReceiveWindow.initial
    /// Bytes of all answers that wait in their streams.
    private(set) var waiting = 0

    init(_ limits: ConnectionLimits, now: NIODeadline) {
        self.limits = limits
        nuisance = HTTP2Nuisance(now: now)
        idleSince = now
    }

    // MARK: Streams

    /// - Returns: whether a stream that the caller opens is taken.
    mutating func takesStream(_ id: HTTP2StreamID) -> Bool {
        switch state {
        case .open, .announced: break
        case .leaving, .farewell, .over: return false
        }
        guard id > lastStream else { return false }
        lastStream = id
        hasServed = true
        idleSince = nil
        return true
    }

    /// The last stream is over.
    mutating func becameIdle(now: NIODeadline) { idleSince = now }

    // MARK: Windows

    /// The caller takes so much more on all streams together.
    mutating func sendWindowOpened(_ bytes: Int) { sendWindow += bytes }

    /// - Returns: by how much what it takes on each stream that is open changes (RFC 9113 §6.9.2).
    mutating func initialSendWindowBecame(_ bytes: Int) -> Int {
        let change = bytes - initialSendWindow
        initialSendWindow = bytes
        return change
    }

    mutating func sent(_ bytes: Int) {
        sendWindow -= bytes
        nuisance.sentFrame()
    }

    mutating func answersWait(_ change: Int) { waiting += change }

    /// Whether an answer of which so much waits may have more: one of which nothing waits always may, so that those of which
    /// much does hold up none but themselves.
    func takesMore(_ waitingInStream: Int, isShort: Bool) -> Bool {
        waitingInStream == 0
            || !isShort && waitingInStream < HTTP2AnswerQueue.usuallyKept && waiting < Self.mostWaiting
    }

    // MARK: Leaving

    /// Whether no more streams are taken.
    var isLeaving: Bool {
        switch state {
        case .open, .announced: false
        case .leaving, .farewell, .over: true
        }
    }

    /// Whether a stream that is on its way would be taken.
    var awaitsStreams: Bool {
        if case .announced = state { return true }
        return false
    }

    var isOver: Bool {
        switch state {
        case .farewell, .over: true
        case .open, .announced, .leaving: false
        }
    }

    /// The caller is to open no more streams.
    ///
    /// - Returns: whether it is to be told so now.
    mutating func leave(now: NIODeadline) -> Bool {
        guard case .open = state else { return false }
        state = .announced(until: now + limits.leaveTimeout)
        return true
    }

    /// It has been told, or will open none by itself.
    ///
    /// - Returns: whether it is to be told now which was the last that was taken.
    mutating func refuseStreams() -> Bool {
        switch state {
        case .open, .announced:
            state = .leaving
            return true
        case .leaving, .farewell, .over: return false
        }
    }

    mutating func cut(now: NIODeadline) { cutDeadline = now + limits.cutTime }

    // MARK: Farewell

    mutating func saysFarewell(_ farewell: Farewell) {
        var farewell = farewell
        farewell.hurry(until: cutDeadline)
        state = .farewell(farewell)
    }

    mutating func closed() { state = .over }

    mutating func changeFarewell(_ change: (inout Farewell) -> Void) {
        guard case .farewell(var farewell) = state else { return }
        change(&farewell)
        state = .farewell(farewell)
    }

    // MARK: Time

    mutating func due(now: NIODeadline) -> Due {
        switch state {
        case .farewell: return .farewell
        case .over: return .nothing(until: .distantFuture)
        case .announced(let deadline) where now >= deadline: return .refuseStreams
        case .leaving where idleSince != nil: return .close
        case .open, .announced, .leaving: break
        }
        if now >= cutDeadline { return .cut }
        let idle = idleSince.map { $0 + (hasServed ? limits.idleTimeout : limits.headTimeout) }
        if let idle, now >= idle { return .close }
        var deadline = min(idle ?? .distantFuture, cutDeadline)
        if case .announced(let end) = state { deadline = min(deadline, end) }
        return .nothing(until: deadline)
    }
}
