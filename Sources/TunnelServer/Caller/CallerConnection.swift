import NIOCore

/// The caller's connection as one exchange sees it.
protocol CallerConnection: AnyObject {
    var eventLoop: any EventLoop { get }
    /// Whether the next answer is the last.
    var isLeaving: Bool { get }
    /// The exchange takes request body (or raw bytes) again.
    func exchangeBecameWritable()
    /// From now on both directions are raw bytes.
    func exchangeSwitchedProtocols()
    /// The answer is whole.
    func exchangeEnded(keepAlive: Bool)
    /// The answer cannot be completed: the caller must see a broken connection.
    func exchangeBroke()
    /// The peer's raw bytes are over.
    func exchangeEndedOutput()
}
