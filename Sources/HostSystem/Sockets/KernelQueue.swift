import Glibc
package import NIOCore

/// What the kernel tells of the bytes that were given to it for a TCP connection.
package enum KernelQueue {
    /// Where `struct tcp_info` (Linux 4.1 and later) has `tcpi_bytes_acked`; the C library's has not.
    private static let acknowledgedOffset = 120

    /// Bytes that the peer's machine has not acknowledged, where our end counts as one; of a Unix socket, what the peer has
    /// not read. Nil where that is not known.
    package static func unacknowledged(_ context: ChannelHandlerContext) -> Int? {
        withSocket(of: context) { socket in
            var count: CInt = 0
            return ioctl(socket, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : nil
        }
    }

    /// Bytes that the peer's machine has acknowledged since the connection began; nil where that is no TCP socket.
    package static func acknowledged(_ context: ChannelHandlerContext) -> UInt64? {
        withSocket(of: context) { socket in
            var info = [UInt8](repeating: 0, count: acknowledgedOffset + MemoryLayout<UInt64>.size)
            var size = socklen_t(info.count)
            guard getsockopt(socket, Int32(IPPROTO_TCP), TCP_INFO, &info, &size) == 0, size == info.count
            else { return nil }
            return info.withUnsafeBytes {
                $0.loadUnaligned(fromByteOffset: acknowledgedOffset, as: UInt64.self)
            }
        }
    }

    private static func withSocket<Value>(
        of context: ChannelHandlerContext, _ ask: (NIOBSDSocket.Handle) -> Value?
    ) -> Value? {
        let answer = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self, ask)
        return answer ?? nil
    }
}
