package import TunnelProtocol

/// What a listener is that speaks no HTTP: its connections go through a tunnel byte by byte, as they are.
package struct TCPPort: Hashable, Sendable {
    /// The name of the server that has it, whose tunnels it leads to.
    package var server: String
    /// Of the tunnel that its connections go through.
    package var token: RendezvousToken
    /// Whose connections are taken; nil for everybody's.
    package var callers: [AddressRange]?
    /// How long a connection may be silent in both directions; nil for any time.
    package var idle: Duration?

    package init(
        server: String, token: RendezvousToken, callers: [AddressRange]? = nil, idle: Duration? = defaultIdle
    ) {
        self.server = server
        self.token = token
        self.callers = callers
        self.idle = idle
    }

    /// Longer than what keeps connections of ssh and databases alive, and an end for those that nobody has any more.
    package static let defaultIdle = Duration.seconds(3600)

    /// Whether an address may connect.
    package func takes(_ address: String) -> Bool {
        callers?.contains { $0.contains(address) } ?? true
    }
}
