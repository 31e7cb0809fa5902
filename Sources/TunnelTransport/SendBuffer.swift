import Glibc
package import NIOCore

/// How much may wait to be sent on one connection before it counts as full. A reader that does not keep up holds this
/// much of our memory and of the kernel's, and what is written behind a full buffer waits for all of it.
package enum SendBuffer {
    /// Bytes that the kernel takes beyond those under way to the peer. Left to itself it grows the buffer to megabytes;
    /// a few hundred readers that stopped would then use up the memory that the machine has for all its connections,
    /// and slow down every one of them.
    package static let unsentBytes: ChannelOptions.Types.SocketOption.Value = 256 << 10

    /// Bytes that wait in the channel because the kernel takes no more.
    package static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 << 10, high: 64 << 10)

    /// The socket option that takes `unsentBytes`.
    package static let unsentOption = ChannelOptions.Types.SocketOption(
        level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT))
}
