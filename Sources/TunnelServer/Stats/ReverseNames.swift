import Glibc
import NIOPosix
import Synchronization

/// DNS names of tunnel clients, looked up one after another on a thread of its own and kept for an hour.
///
/// Nobody waits for a name: it is there, or it is not.
final class ReverseNames: Sendable {
    private static let lifetime: Duration = .seconds(3600)
    /// Most addresses whose name is known or asked for.
    private static let mostAddresses = 10_000

    private struct Entry {
        /// Nil while it is looked up, and where there is none.
        var name: String?
        var asked: ContinuousClock.Instant
    }

    private let resolve: @Sendable (String) -> String?
    private let entries = Mutex<[String: Entry]>([:])
    private let isStopped = Mutex(false)
    private let pool = NIOThreadPool(numberOfThreads: 1)

    /// - Parameter resolve: gives the name of an address; may take its time.
    init(resolve: @escaping @Sendable (String) -> String? = ReverseNames.systemName(of:)) {
        self.resolve = resolve
    }

    /// The name of an address, if it is known.
    func name(of address: String) -> String? { entries.withLock { $0[address]?.name } }

    /// Has the name of an address looked up, unless that was done not long ago.
    func lookUp(_ address: String) {
        let now = ContinuousClock.now
        let isNews = entries.withLock { entries in
            if let entry = entries[address], now - entry.asked < Self.lifetime { return false }
            if entries.count >= Self.mostAddresses {
                entries = entries.filter { now - $0.value.asked < Self.lifetime }
            }
            guard entries.count < Self.mostAddresses else { return false }
            entries[address] = Entry(name: entries[address]?.name, asked: now)
            return true
        }
        // A pool must not be shut down while it starts.
        let isRunning = isStopped.withLock { isStopped in
            if isNews, !isStopped { pool.start() }
            return isNews && !isStopped
        }
        guard isRunning else { return }
        pool.submit { state in
            guard state == .active else { return }
            let name = self.resolve(address)
            self.entries.withLock { $0[address]?.name = name }
        }
    }

    /// A look-up under way is not waited for.
    func stop() {
        let wasRunning = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        if wasRunning { pool.shutdownGracefully { _ in } }
    }

    /// What the system's resolver says.
    @Sendable static func systemName(of address: String) -> String? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, nil, &hints, &found) == 0, let found else { return nil }
        defer { freeaddrinfo(found) }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = getnameinfo(
            found.pointee.ai_addr, found.pointee.ai_addrlen, &host, socklen_t(host.count), nil, 0, NI_NAMEREQD
        )
        guard result == 0 else { return nil }
        return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
