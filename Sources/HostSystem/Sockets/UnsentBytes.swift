import Glibc
package import NIOCore

/// How far the kernel takes data ahead of what it sends. What lies there is beyond any order of ours: left to itself it
/// takes four megabytes for a caller that does not read, and what is urgent waits behind as much on a session, for which
/// `SendPace` says how much it is. What is under way does not count, so that the distance of the peer costs no speed.
package enum UnsentBytes {
    /// An option of TCP sockets; one that is handed to another channel keeps it.
    package static let option = ChannelOptions.Types.SocketOption(
        level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT))
    package typealias Count = ChannelOptions.Types.SocketOption.Value
    /// For a caller.
    package static let most: Count = 128 << 10
}
