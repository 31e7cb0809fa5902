import struct NIOCore.ByteBuffer

/// Memory in which one head after another is written. Each is copied on or sent soon, as a rule, and then its memory is the
/// next one's; a head that somebody still has keeps it. Used by one thread at a time.
package final class HeadMemory {
    /// More is not kept for the next head, in bytes.
    private static let mostKept = 4096

    /// As long as somebody else has it too, it is no memory for another.
    private var latest = ByteBuffer()

    package init() {}

    /// - Parameters:
    ///   - room: bytes that it will take, about.
    ///   - write: is given an empty buffer.
    func write<Value>(room: Int, _ write: (inout ByteBuffer) -> Value) -> (ByteBuffer, Value) {
        var buffer = ByteBuffer()
        swap(&buffer, &latest)
        // Where somebody has it, this makes another of that size: one long head makes no others long.
        buffer.clear(minimumCapacity: room)
        let value = write(&buffer)
        if buffer.capacity <= Self.mostKept { latest = buffer }
        return (buffer, value)
    }
}
