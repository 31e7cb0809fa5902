package import NIOCore

/// What carries the bytes of a `PipeChannel`, in order and without loss. Used on the channel's event loop.
package protocol PipeTransport: AnyObject {
    /// Bytes that wait to go out for the first time.
    var unsentBytes: Int { get }
    /// So many of them, from which on it takes no more.
    var mostUnsent: Int { get }
    /// Nil where nothing is known of it.
    var progress: CarrierProgress? { get }
    func send(_ bytes: ByteBuffer)
    /// What was sent goes out now.
    func flush()
    /// The next bytes that came, in order; nil when there are none.
    func receive() -> ByteBuffer?
    /// Nothing more is sent.
    func finish()
    /// The channel is closed: what was sent still goes out, and then it ends.
    func channelClosed()
}
