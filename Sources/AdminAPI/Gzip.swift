import CZlib
package import NIOCore

/// The gzip coding of content (RFC 1952), for answers that are long and made of repetitions.
package enum Gzip {
    /// Of pages of metrics a tenth is left by it, at a fifth of the time that the usual level takes.
    private static let level: Int32 = 1
    /// The largest window, with a header of gzip around it (zlib.h).
    private static let windowBits: Int32 = 15 + 16

    /// Takes milliseconds for each megabyte: not for event loops.
    ///
    /// - Returns: nil where there is no memory for it.
    package static func compressed(_ bytes: [UInt8]) -> ByteBuffer? {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        let most = Int(deflateBound(&stream, UInt(bytes.count)))
        guard let (input, output) = lengths(bytes.count, most) else { return nil }
        var result = ByteBuffer()
        var source = bytes
        let isWhole = source.withUnsafeMutableBufferPointer { source in
            result.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { memory in
                stream.next_in = source.baseAddress
                stream.avail_in = input
                stream.next_out = memory.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = output
                guard deflate(&stream, Z_FINISH) == Z_STREAM_END else { return 0 }
                return most - Int(stream.avail_out)
            } > 0
        }
        return isWhole ? result : nil
    }

    /// As zlib counts; nil where that is too much for one call.
    private static func lengths(_ input: Int, _ output: Int) -> (UInt32, UInt32)? {
        guard let input = UInt32(exactly: input), let output = UInt32(exactly: output) else { return nil }
        return (input, output)
    }
}
