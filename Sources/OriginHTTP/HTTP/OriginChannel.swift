import HTTPMessage
import NIOCore

/// What carries one exchange at a time to an origin, in its version of HTTP: a connection of HTTP/1, or a stream of one that
/// has many.
///
/// An exchange hands its request over part by part, and hears the answer, until it is over or `cancel` is called.
protocol OriginChannel: AnyObject {
    /// False: stop sending; the exchange hears `becameWritable`. What is sent nevertheless is kept in memory.
    var isWritable: Bool { get }
    /// What was sent and the kernel has not taken, in bytes.
    var unsentBytes: Int { get }
    /// Whether it may turn out that the origin has surely not looked at the request.
    var canBeRefused: Bool { get }
    /// Begins an exchange with the head of its request. What was sent in one turn of the event loop leaves together.
    func begin(_ request: OutgoingRequest, for exchange: HTTPExchange)
    /// Sends some bytes of the body, held to its framing, never none; after 101, raw bytes.
    ///
    /// - Parameter isLast: whether the request is whole with them. After 101 it says nothing.
    func send(_ bytes: ByteBuffer, isLast: Bool)
    /// The request is whole; after 101, half-closes. Not for a request that was whole before.
    func end(trailers: HeaderFields?)
    /// The exchange takes its answer again: it was paused.
    func resumeReading()
    /// The exchange is given up in the middle, and hears nothing more.
    func cancel()
}

/// A connection of a pool, in whatever version of HTTP.
protocol PooledConnection: AnyObject {
    /// Exchanges that it carries at a time, at least one.
    var capacity: Int { get }
    /// Calls once, perhaps at once, when exchanges can begin, or with the reason why none can.
    func whenReady(_ completion: @escaping (Result<Void, any Error>) -> Void)
    /// The attempt was for this pool, which keeps the connection from now on.
    func joined(_ pool: OriginPool, as id: OriginPool.ConnectionID)
    /// What carries the next exchange.
    func makeChannel() -> any OriginChannel
    /// Closes the connection; the pool hears of it by `closed`.
    func close()
}
