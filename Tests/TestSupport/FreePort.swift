import Glibc
import Synchronization

private let nextCandidate = Mutex(Int.random(in: firstPort..<endOfPorts))
private let firstPort = 12_000
private let endOfPorts = 32_000

/// A TCP port of 127.0.0.1 that nobody listens on, for programs that cannot be told to take any.
///
/// It lies below the range that the kernel picks from, so that no other socket gets it by chance, and is
/// handed out once in a long while; still, a listener that fails to bind should ask again.
package func freePort() throws -> Int {
    for _ in 0..<1000 {
        let port = nextCandidate.withLock { candidate in
            candidate = candidate + 1 < endOfPorts ? candidate + 1 : firstPort
            return candidate
        }
        if canListen(on: port) { return port }
    }
    throw TestFailure("no free port in \(firstPort)..<\(endOfPorts)")
}

private func canListen(on port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return withLoopbackAddress(port: port) { bind(descriptor, $0, $1) } == 0
}

/// Calls the body with the socket address of 127.0.0.1 and a port.
func withLoopbackAddress<Value>(
    port: Int, last: UInt8 = 1, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
) -> Value {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = (in_addr_t(INADDR_LOOPBACK) - 1 + in_addr_t(last)).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
