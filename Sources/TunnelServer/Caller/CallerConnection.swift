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
    ///
    /// - Parameter isDelimited: whether that shows without the end of the connection.
    func exchangeEnded(keepAlive: Bool, isDelimited: Bool)
    /// There will be no more of the answer. What there is goes out, then the connection ends: so that the caller sees
    /// that something is missing, unless nothing is.
    ///
    /// - Parameter whenOut: told how many bytes could not go out.
    func exchangeBroke(isWhole: Bool, isDelimited: Bool, whenOut: @escaping (_ missing: Int) -> Void)
    /// The peer's raw bytes are over.
    func exchangeEndedOutput()
}
