package import TunnelProtocol

/// A session of protocol v2.
package typealias MuxSession = MachineSession<MuxMachine>

extension MuxSession {
    /// - Parameters:
    ///   - role: the opener is the tunnel server, the acceptor the client.
    ///   - owner: kept until the session is over.
    ///   - now: by the clock of the event loop that it will be on.
    package convenience init(
        role: SessionRole, limits: SessionLimits, settings: SessionSettings,
        budget: any ReceiveBudget, owner: any SessionOwner, now: MonotonicInstant = .now
    ) {
        self.init(
            MuxMachine(role: role, limits: limits, settings: settings, budget: budget, now: now),
            role: role, limits: limits, longestMessage: limits.maximumMessageBytes, owner: owner)
    }
}

/// A session of protocol v1.
package typealias MessageSession = MachineSession<MessageMachine>

extension MessageSession {
    /// - Parameters:
    ///   - peer: what is known of the peer's software.
    ///   - numbering: of the token's requests; nil on a client, which opens none.
    ///   - space: for messages that would hold up others.
    ///   - owner: kept until the session is over.
    ///   - now: by the clock of the event loop that it will be on.
    package convenience init(
        role: SessionRole, limits: SessionLimits, peer: String,
        budget: any ReceiveBudget, numbering: (any RequestNumbering)?, space: SpillSpace = .ofProcess,
        owner: any SessionOwner, now: MonotonicInstant = .now
    ) {
        self.init(
            MessageMachine(
                role: role, limits: limits, peer: peer, budget: budget, numbering: numbering, now: now),
            // Messages are taken as they come, so their length costs nothing.
            role: role, limits: limits, longestMessage: .max, owner: owner)
        spilling = SessionSpilling(self, in: space, limits: limits, role: role)
    }
}
