/// An address that a tunnel server has shut out, as `wstunnel bans` tells.
package struct BanSnapshot: Codable, Hashable, Sendable {
    /// Of the server.
    package var server: String
    /// An IPv4 address, or a /64 of IPv6.
    package var address: String
    /// Until it is over.
    package var secondsLeft: Int
    /// How often the address was banned, with this time.
    package var count: Int

    package init(server: String, address: String, secondsLeft: Int, count: Int) {
        self.server = server
        self.address = address
        self.secondsLeft = secondsLeft
        self.count = count
    }
}
