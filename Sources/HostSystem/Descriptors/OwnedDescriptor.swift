import Glibc
package import SystemPackage

/// A descriptor that is closed when it goes out of use.
package struct OwnedDescriptor: ~Copyable, Sendable {
    package let number: CInt

    /// Takes over what a system call gave.
    ///
    /// - Throws: the `errno` that the call left, when it gave none.
    package init(_ result: CInt) throws(Errno) {
        guard result >= 0 else { throw .latest }
        number = result
    }

    deinit { close(number) }

    /// Leaves the closing to who takes the number.
    package consuming func release() -> CInt {
        let number = number
        discard self
        return number
    }

    /// The next bytes, or nil at the end; empty when a descriptor that does not block has none yet.
    package func read() throws(Errno) -> [UInt8]? {
        var count = 0
        var failure = Errno(rawValue: 0)
        let chunk = [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, initialised in
            repeat {
                count = Glibc.read(number, buffer.baseAddress, buffer.count)
                failure = .latest
            } while count < 0 && failure == .interrupted
            initialised = max(0, count)
        }
        if count < 0 && failure != .wouldBlock { throw failure }
        return count == 0 ? nil : chunk
    }
}

extension Errno {
    /// What the last system call of this thread left.
    package static var latest: Errno { Errno(rawValue: errno) }
}
