/// What a server binds, to find two that cannot be bound together.
struct ListenAddress: Hashable, CustomStringConvertible {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host.lowercased()
        self.port = port
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether the two cannot both be bound. `::` takes IPv4 too, as Linux does by default. Other host names
    /// are compared as text: what they stand for is known only when they are looked up.
    func overlaps(_ other: Self) -> Bool {
        guard port == other.port else { return false }
        if host == other.host || isAny || other.isAny {
            return isAny || other.isAny ? anyOverlaps(other) : true
        }
        return isLocalhost && other.isLoopback || other.isLocalhost && isLoopback
    }

    /// Whether it stands for more addresses than the one it is written as.
    var isBroad: Bool { isAny || isLocalhost }

    /// Whether only this machine can reach it.
    var isLoopback: Bool { AddressRange.isLoopback(host) }

    private func anyOverlaps(_ other: Self) -> Bool {
        if isAnyIPv6 || other.isAnyIPv6 { return true }
        // 0.0.0.0 leaves IPv6 addresses alone.
        return !host.contains(":") && !other.host.contains(":")
    }

    private var isAny: Bool { host == "0.0.0.0" || isAnyIPv6 }
    private var isAnyIPv6: Bool { host.contains(":") && host.utf8.allSatisfy { "0:".utf8.contains($0) } }
    private var isLocalhost: Bool { host == "localhost" }
}
