/// By what a tunnel dials that takes whatever gets through: a WebSocket, or long polling where the network lets none through.
/// What is found out on one connection counts for all of the tunnel.
package struct TransportChoice: Sendable, Hashable {
    package enum Way: Sendable, Hashable {
        case webSocket
        case longPoll
    }

    /// How often in a row a WebSocket has to fail in the way of a network that blocks them.
    private static let most = 3
    /// A session that was cut after longer than this was not cut for being a WebSocket.
    private static let longestCut = Duration.seconds(60)
    /// Sessions that were cut later than this are alike only where they lived about equally long.
    private static let atOnce = Duration.seconds(2)
    /// What answers a handshake at all answers it in this time, or the other way is tried first; and the other way is
    /// believed where its answer comes in this time: a server that has much to do is slow by both.
    private static let firstPatience = Duration.seconds(1)
    private static let secondPatience = Duration.seconds(2)

    package private(set) var way = Way.webSocket
    /// Why it is not the WebSocket; nil while it is.
    package private(set) var reason: String?
    /// Failures in a row of each connection, of the way that is tried: what befalls all at once is one.
    private var failures: [Int: Int] = [:]
    /// How long the last sessions over a WebSocket lived that were cut, of each connection.
    private var cuts: [Int: [Duration]] = [:]
    /// Whether a session has been open by this way.
    private var hasWorked = false
    /// Whether long polling has been tried in vain: then WebSockets get the time that they need.
    private var hasTriedBoth = false

    package init() {}

    /// Whether it is still to be found out what gets through: then the next try comes soon.
    package var isDeciding: Bool {
        !hasTriedBoth && (way == .longPoll || !failures.isEmpty || !cuts.isEmpty)
    }

    /// How long the answer to a handshake is waited for; nil for as long as ever.
    package var patience: Duration? {
        guard !hasWorked, !hasTriedBoth else { return nil }
        return way == .webSocket ? Self.firstPatience : Self.secondPatience
    }

    /// How long a WebSocket has to last to be believed, where others were cut.
    package var trialTime: Duration { (cuts.values.joined().max() ?? .zero) * 2 + .seconds(1) }

    /// No session came of a dial.
    ///
    /// - Parameters:
    ///   - way: by which it was tried.
    ///   - slot: of the connection.
    ///   - isBlocked: whether it failed as it does where WebSockets are blocked.
    package mutating func failed(_ way: Way, slot: Int = 0, isBlocked: Bool, _ words: String) {
        guard way == self.way else { return }
        switch way {
        case .webSocket:
            guard isBlocked else {
                failures[slot] = nil
                return
            }
            failures[slot, default: 0] += 1
            guard failures[slot, default: 0] >= Self.most else { return }
            fallBack(because: words)
        case .longPoll:
            failures[slot, default: 0] += 1
            guard failures[slot, default: 0] >= Self.most else { return }
            self = TransportChoice()
            hasTriedBoth = true
        }
    }

    /// A session is in use.
    package mutating func opened(_ way: Way) {
        guard way == self.way else { return }
        failures = [:]
        hasWorked = true
    }

    /// A session is over.
    ///
    /// - Parameters:
    ///   - slot: of the connection.
    ///   - isCut: whether its connection broke, or nothing came on it.
    ///   - lifetime: from when it was open.
    package mutating func sessionEnded(
        _ way: Way, slot: Int = 0, isCut: Bool, after lifetime: Duration
    ) {
        guard way == .webSocket, self.way == .webSocket else { return }
        guard isCut, lifetime < Self.longestCut else {
            cuts[slot] = nil
            return
        }
        let cuts = (cuts[slot, default: []] + [lifetime]).suffix(Self.most)
        self.cuts[slot] = Array(cuts)
        guard cuts.count == Self.most, let shortest = cuts.min(), let longest = cuts.max() else {
            return
        }
        guard longest < Self.atOnce || longest - shortest < longest / 5 else { return }
        fallBack(because: "each was cut after \(longest.components.seconds) s")
    }

    /// A WebSocket was tried beside, and holds.
    package mutating func webSocketWorks() {
        self = TransportChoice()
        hasWorked = true
    }

    private mutating func fallBack(because words: String) {
        way = .longPoll
        reason = words
        failures = [:]
        hasWorked = false
    }
}
