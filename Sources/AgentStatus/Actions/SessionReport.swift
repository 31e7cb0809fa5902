/// A session that an agent was told to end.
package struct SessionReport: Codable, Hashable, Sendable {
    /// Unique in the process.
    package var id: UInt64
    /// The tunnel server that has it; nil where this end is the tunnel client's.
    package var server: String?
    /// The tunnel whose it is; nil where this end is the server's.
    package var tunnel: String?
    /// Whether what is in flight is cut.
    package var isCut: Bool

    package init(id: UInt64, server: String? = nil, tunnel: String? = nil, isCut: Bool) {
        self.id = id
        self.server = server
        self.tunnel = tunnel
        self.isCut = isCut
    }
}
