package import HTTPMessage
package import NIOCore

/// One request and its answer, as the connection that it came on sees it. Used on the connection's event loop; its answer
/// goes to a `CallerStream`.
package protocol ServedExchange: AnyObject {
    /// Whether request body (or raw bytes) may come.
    var takesBytes: Bool { get }

    /// Called once, when the connection is ready for the answer.
    func start()
    /// Part of the request's body came, or raw bytes.
    func callerSent(_ bytes: ByteBuffer)
    /// The request's body is whole. Not called where none was to come.
    func callerEndedRequest(trailers: HeaderFields?)
    /// The caller closed its direction of a connection that left HTTP.
    func callerEndedRaw()
    /// What comes of the request's body is no HTTP: the exchange ends itself.
    func callerBrokeRules(_ error: HTTPMessageError)
    /// The caller is gone.
    func callerLeft()
    /// What was written has gone out to the caller.
    func callerBecameWritable()
    /// After `CallerStream.exchangeBroke`: everything has gone out, but for so many bytes.
    func answerIsOut(missing: Int)
    /// The server stops taking requests.
    func serverStops()
    /// The server's grace is over: the exchange ends itself.
    func cutShort()
    /// Does what is due, and has itself called again in time by `CallerStream.ring`.
    func checkTime()
}
