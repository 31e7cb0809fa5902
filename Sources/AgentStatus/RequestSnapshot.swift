/// One request that is over, as the admin API and the history tell it. Holds no secret: the path's query is left out.
///
/// Property names are those of the JSON; durations are milliseconds.
package struct RequestSnapshot: Codable, Hashable, Sendable {
    /// When it was over, in milliseconds since 1970.
    package var at: Int64
    package var server: String
    /// The shortened token; nil where it named none.
    package var tokenHint: String?
    /// Counts the server's requests since its start.
    package var id: UInt64
    /// Its `X-Request-Id`.
    package var externalID: String?
    /// Of its `traceparent`.
    package var traceID: String?
    package var method: String
    /// Inside the tunnel, without the query.
    package var path: String
    package var status: Int?
    package var requestBytes: Int
    package var responseBytes: Int
    package var firstByte: Double?
    package var duration: Double
    /// Where the time to the first byte went: see `RequestTimes`.
    package var queue: Double?
    package var tunnel: Double?
    package var origin: Double?
    package var caller: String
    /// An `AccessOutcome`.
    package var outcome: String

    package init(
        at: Int64, server: String, tokenHint: String?, id: UInt64, externalID: String? = nil,
        traceID: String? = nil, method: String, path: String, status: Int?, requestBytes: Int,
        responseBytes: Int, firstByte: Double?, duration: Double, queue: Double? = nil,
        tunnel: Double? = nil, origin: Double? = nil, caller: String, outcome: String
    ) {
        self.at = at
        self.server = server
        self.tokenHint = tokenHint
        self.id = id
        self.externalID = externalID
        self.traceID = traceID
        self.method = method
        self.path = path
        self.status = status
        self.requestBytes = requestBytes
        self.responseBytes = responseBytes
        self.firstByte = firstByte
        self.duration = duration
        self.queue = queue
        self.tunnel = tunnel
        self.origin = origin
        self.caller = caller
        self.outcome = outcome
    }
}
