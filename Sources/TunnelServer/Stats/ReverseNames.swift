import HostSystem
import NameResolution
import Synchronization

/// DNS names of tunnel clients, kept for an hour. A few are looked up at once, of one network one.
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

    private let entries = Mutex<[String: Entry]>([:])
    private let lookUps: SharedLookUps<String>

    /// - Parameter resolve: gives the name of an address; may take its time.
    init(resolve: @escaping @Sendable (String) -> String? = SystemNames.name(of:)) {
        lookUps = SharedLookUps(
            limits: LookUpLimits(places: 4, placesPerZone: 1), zone: Self.network(of:), lookUp: resolve)
    }

    /// The name of an address, if it is known.
    func name(of address: String) -> String? { entries.withLock { $0[address]?.name } }

    /// Has the name of an address looked up, unless that was done not long ago.
    func lookUp(_ address: String) {
        let now = ContinuousClock.now
        let isNews = entries.withLock { entries in
            if let entry = entries[address], now - entry.asked < Self.lifetime { return false }
            if entries.count >= Self.mostAddresses { entries.remove(at: entries.startIndex) }
            entries[address] = Entry(name: entries[address]?.name, asked: now)
            return true
        }
        guard isNews else { return }
        _ = lookUps.ask(address) { [weak self] outcome in
            self?.entries.withLock { entries in
                switch outcome {
                case .found(let name): entries[address]?.name = name
                case .nothing: entries[address]?.name = nil
                case .crowded: entries[address] = nil
                }
            }
        }
    }

    /// The part of an address that one owner has: 16 bits of IPv4, 32 of IPv6. Those who look after its names are his.
    private static func network(of address: String) -> String {
        address.split { ".:".contains($0) }.prefix(2).joined(separator: ".")
    }
}
