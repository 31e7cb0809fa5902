/// How long a request took and where that time went, in nanoseconds: what `RequestTimes` tells, cheap enough to be made of
/// every request.
package struct RequestTiming: Sendable, Hashable {
    /// From the request's head to the end of the exchange.
    package var whole: Int64
    /// To the head of the answer; nil without one.
    package var firstByte: Int64?
    /// Until a session took it, or none had until it was over; nil of one that was for no tunnel.
    package var queue: Int64?
    package var tunnel: Int64?
    package var origin: Int64?
    /// Whether its tunnel carried it as raw bytes: then how long it stayed says nothing.
    package var isRaw = false

    package init(whole: Int64, firstByte: Int64? = nil) {
        self.whole = whole
        self.firstByte = firstByte
    }

    /// Splits what passed between a session's taking the request and the head of the answer.
    ///
    /// - Parameters:
    ///   - time: how long that took.
    ///   - originMicroseconds: what of it the tunnel client says was the origin's. It may say anything: it counts for as much
    ///     of the time as there is.
    package mutating func split(_ time: Int64, originMicroseconds: UInt32) {
        let measured = max(0, time)
        let origin = min(Int64(originMicroseconds) * 1000, measured)
        self.origin = origin
        self.tunnel = measured - origin
    }

    package var times: RequestTimes {
        RequestTimes(
            queue: queue.map { .nanoseconds($0) }, tunnel: tunnel.map { .nanoseconds($0) },
            origin: origin.map { .nanoseconds($0) })
    }
}
