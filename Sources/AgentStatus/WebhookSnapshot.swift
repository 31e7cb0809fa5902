/// A web server that is told of events, and what became of that since the start.
package struct WebhookSnapshot: Codable, Hashable, Sendable {
    package var name: String
    /// Scheme, host and port.
    package var address: String
    /// Events that it has yet to be told of.
    package var waiting: Int
    package var delivered: UInt64
    /// Tries that failed.
    package var failures: UInt64
    /// Events that it was not told of: too old, tried too often, too many, or refused for good.
    package var deadLetters: UInt64
    package var lastDeliveredAt: Int?
    /// What is wrong, while the last try failed.
    package var fault: FaultSnapshot?

    package init(
        name: String, address: String, waiting: Int = 0, delivered: UInt64 = 0, failures: UInt64 = 0,
        deadLetters: UInt64 = 0, lastDeliveredAt: Int? = nil, fault: FaultSnapshot? = nil
    ) {
        self.name = name
        self.address = address
        self.waiting = waiting
        self.delivered = delivered
        self.failures = failures
        self.deadLetters = deadLetters
        self.lastDeliveredAt = lastDeliveredAt
        self.fault = fault
    }
}
