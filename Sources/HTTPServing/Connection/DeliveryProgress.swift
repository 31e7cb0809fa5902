package import NIOCore

/// When a caller was last seen to take something of what was written for it.
package struct DeliveryProgress: Sendable {
    package private(set) var last: NIODeadline
    /// The fewest bytes that were seen to wait, or to be on their way to the caller's machine.
    private(set) var undelivered = Int.max

    package init(now: NIODeadline) { last = now }

    /// Something moved; how much has not arrived is to be seen anew.
    package mutating func moved(now: NIODeadline) {
        last = now
        undelivered = .max
    }

    /// - Parameter undelivered: bytes that have not arrived at the caller's machine.
    /// - Returns: whether that are fewer than ever since something moved.
    @discardableResult package mutating func sees(undelivered: Int, now: NIODeadline) -> Bool {
        guard undelivered < self.undelivered else { return false }
        self.undelivered = undelivered
        last = now
        return true
    }
}
