/// What is bounded in protocol v1 alone, but for how long one stream may hold up others (`HoldAllowance`). Sizes are in
/// bytes.
package struct MessageLimits: Sendable, Hashable {
    /// Streams of a session at once. The Go program has no limit.
    package var maximumStreams = 8000
    /// What one stream keeps at most, in each direction, while it cannot go on.
    package var maximumStoredBytes = 4 << 20
    /// What of one message is kept in a file, in each direction, before it may hold up others; 0 for nothing.
    package var maximumSpilledBytes = 100 << 20
    /// The longest request; old clients refuse longer messages.
    package var maximumMessageBytes = 100 << 20

    package init() {}

    /// How long a live answer waits behind others before it gets the connection for itself.
    static let patience: Duration = .seconds(1)
    /// Between two looks at how far a reader is that holds up the session.
    static let progressInterval: Duration = .milliseconds(500)
    /// What of one stream may be on its way outside.
    static var passage: Int { 256 << 10 }
    /// Numbers in use, from which on the session is left: a peer that does not answer would use up all of them.
    static var mostNumbers: Int { Int(RequestNumber.modulus) / 2 }
    /// Requests beyond the limit on streams whose refusal may wait to be sent.
    static var mostRefusals: Int { 100 }
    /// What may go before a large message, in bytes.
    static var smallMessage: Int { 64 << 10 }
    /// What of those goes before a large one that is ready, in bytes.
    static var mostOvertaken: Int { 1 << 20 }
}
