import Synchronization

/// Origins that requests themselves name (`X-Host`): the same address gets the same origin, and so its pool.
///
/// Bounded, since callers choose the names: beyond `limit` the address that came first is forgotten. Exchanges
/// on its origin go on, and its connections close once unused.
package final class HTTPOriginCache: Sendable {
    private struct Entries {
        var origins: [OriginAddress: HTTPOrigin] = [:]
        var order: [OriginAddress] = []
    }

    private let tls: OriginTLS
    private let options: HTTPOriginOptions
    private let limit: Int
    private let entries = Mutex(Entries())

    /// - Parameters:
    ///   - tls: shared by all `https` origins.
    ///   - limit: most addresses remembered, at least 1.
    package init(tls: OriginTLS, options: HTTPOriginOptions = HTTPOriginOptions(), limit: Int = 256) {
        self.tls = tls
        self.options = options
        self.limit = max(1, limit)
    }

    /// How many addresses are remembered.
    package var count: Int { entries.withLock { $0.origins.count } }

    /// The origin at an address.
    package func origin(at address: OriginAddress) -> HTTPOrigin {
        entries.withLock { entries in
            if let origin = entries.origins[address] { return origin }
            let origin = HTTPOrigin(address, trusting: tls, options: options)
            if entries.order.count >= limit { entries.origins[entries.order.removeFirst()] = nil }
            entries.order.append(address)
            entries.origins[address] = origin
            return origin
        }
    }
}
