/// Where the time to the head of an answer went: who kept the caller waiting.
package struct RequestTimes: Sendable, Hashable {
    /// Until a session took the request.
    package var queue: Duration?
    /// On the way through the tunnel and back, the tunnel client's own work included; nil where `origin` is not known.
    package var tunnel: Duration?
    /// From when the tunnel client had the request until it had the head of the origin's answer, connecting included; nil
    /// from tunnel clients that do not tell, as those of v1.
    package var origin: Duration?

    package init(queue: Duration? = nil, tunnel: Duration? = nil, origin: Duration? = nil) {
        self.queue = queue
        self.tunnel = tunnel
        self.origin = origin
    }
}
