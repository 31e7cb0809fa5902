import Glibc
import HostSystem
package import NIOCore
package import NIOPosix

/// Looks up the addresses of host names: here where no name server is needed, else by the system's `getaddrinfo`, so that
/// `/etc/hosts`, `nsswitch.conf` and mDNS count.
package struct NameResolver: Sendable {
    /// For names of the configuration: tunnel servers, proxies, origins. Callers cannot take their places.
    package static let configured = NameResolver(LookUpLimits(places: 32, placesPerZone: 8))
    /// For names that callers write into `X-Host`.
    package static let callers = NameResolver(LookUpLimits(places: 64, placesPerZone: 4))

    private let lookUps: SharedLookUps<[SocketAddress]>

    /// - Parameter lookUp: gives the addresses of a name, their ports 0; nil for none. May take its time.
    package init(
        _ limits: LookUpLimits,
        lookUp: @escaping @Sendable (String) -> [SocketAddress]? = SystemNames.addresses(of:)
    ) {
        lookUps = SharedLookUps(limits: limits, zone: Self.zone(of:), lookUp: lookUp)
    }

    /// Begins to look up a name.
    package func lookUp(_ host: String, port: Int, on eventLoop: any EventLoop) -> NameLookUp {
        NameLookUp(host, port: port, on: eventLoop, asking: lookUps)
    }

    /// What stands before a country's label where its registry hands out names one label further down, as in `co.uk`.
    private static let registries: Set<Substring> = [
        "co", "com", "net", "org", "gov", "ac", "edu", "ne", "or", "go",
    ]

    /// The last two labels of a name, three below a country's registry: few names have the servers of more, and a stranger
    /// can make any number of names below a zone of his own.
    static func zone(of name: String) -> String {
        let labels = name.split(separator: ".")
        let registry = labels.suffix(2)
        let isShared =
            labels.count > 2 && registry.last?.utf8.count == 2
            && registry.first.map(registries.contains) == true
        return labels.suffix(isShared ? 3 : 2).joined(separator: ".")
    }

    /// The addresses of what nobody has to be asked for: an address itself, and `localhost` with all names below it
    /// (RFC 6761 §6.3).
    static func ownAddresses(of host: String) -> [SocketAddress]? {
        if let address = try? SocketAddress(ipAddress: host, port: 0) { return [address] }
        guard host.split(separator: ".").last?.lowercased() == "localhost" else { return nil }
        return ["::1", "127.0.0.1"].compactMap { try? SocketAddress(ipAddress: $0, port: 0) }
    }
}

/// One look-up for one connection. Cancelled, it fails at once, and its name gives up its place in the line unless others
/// wait for it too.
package final class NameLookUp: Resolver, Sendable {
    /// At least one address with the port, the preferred first; fails with `NameLookUpError`.
    package let addresses: EventLoopFuture<[SocketAddress]>

    private let name: String
    private let promise: EventLoopPromise<[SocketAddress]>
    private let lookUps: SharedLookUps<[SocketAddress]>
    private let ticket: SharedLookUps<[SocketAddress]>.Ticket?

    fileprivate init(
        _ host: String, port: Int, on eventLoop: any EventLoop, asking lookUps: SharedLookUps<[SocketAddress]>
    ) {
        let promise = eventLoop.makePromise(of: [SocketAddress].self)
        let name = host.lowercased()
        self.name = name
        self.lookUps = lookUps
        self.promise = promise
        addresses = promise.futureResult
        if let own = NameResolver.ownAddresses(of: name) {
            promise.succeed(own.map { $0.with(port: port) })
            ticket = nil
        } else {
            ticket = lookUps.ask(name) { outcome in
                switch outcome {
                case .found(let addresses): promise.succeed(addresses.map { $0.with(port: port) })
                case .nothing: promise.fail(NameLookUpError(host: host, reason: .unknown))
                case .crowded: promise.fail(NameLookUpError(host: host, reason: .crowded))
                }
            }
        }
    }

    /// Those of IPv4; host and port are the look-up's own.
    package func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        addresses.map { $0.filter { $0.protocol == .inet } }
    }

    /// Those of IPv6; host and port are the look-up's own.
    package func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        addresses.map { $0.filter { $0.protocol == .inet6 } }
    }

    /// The addresses are not wanted any more.
    package func cancelQueries() {
        if let ticket { lookUps.withdraw(ticket) }
        promise.fail(NameLookUpError(host: name, reason: .withdrawn))
    }

    /// No connection came of them: whoever is next has the name looked up anew.
    package func provedWrong() { lookUps.forget(name) }
}

/// Why a name has no address.
package struct NameLookUpError: Error, Hashable, CustomStringConvertible {
    /// What stands in the way.
    package enum Reason: Sendable {
        /// There is no such name, or no name server says.
        case unknown
        /// Too many names wait to be looked up.
        case crowded
        /// Nobody waited any more.
        case withdrawn
    }

    package let host: String
    package let reason: Reason

    package var description: String {
        switch reason {
        case .unknown, .withdrawn: "the host name \"\(host)\" cannot be resolved"
        case .crowded: "the host name \"\(host)\" was not looked up: too many others wait for it"
        }
    }
}

extension NIOConnectionError {
    /// Of the reasons why none of several addresses was reached the one that says it best: where one refuses, the others
    /// may just not be of this machine's networks.
    package var telling: (any Error)? {
        let errors = connectionErrors.map(\.error)
        return errors.first { ($0 as? IOError)?.errnoCode == ECONNREFUSED } ?? errors.first
    }
}

extension SocketAddress {
    fileprivate func with(port: Int) -> Self {
        var address = self
        address.port = port
        return address
    }
}
