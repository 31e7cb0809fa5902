package import TunnelConfiguration
package import TunnelProtocol

/// What there is to tell of tokens. Told in parts, so that nobody has to wait for the whole: of the slots of a range, which
/// may be of any size.
extension TokenTable {
    /// What there is to tell of one token.
    package struct Summary: Sendable {
        package var token: RendezvousToken
        package var sessions: [SessionHandle]
        /// Client processes.
        package var clients: Int
        /// Requests that wait or are carried.
        package var pending: Int
        package var lastCaller: String
        /// All that came since the token is known.
        package var requests: UInt64
        /// Of the session that left last, and when it was last heard of.
        package var lastPeer: (peer: SessionPeer, heard: MonotonicInstant)?
    }

    /// Slots for tokens, vacant ones included.
    package var slotCount: Int { entries.count }

    /// The tokens that had or have a session, with who has to answer for each. Not those of which only waiting requests
    /// tell.
    package func known(_ slots: Range<Int>) -> [(token: RendezvousToken, owner: AddressGroup?)] {
        slots.clamped(to: entries.indices).compactMap { slot in
            guard let entry = entries[slot], entry.standing == .seen else { return nil }
            return (entry.token, entry.owner)
        }
    }

    /// A session and what it has to do.
    package struct Standing: Sendable {
        package var token: RendezvousToken
        package var id: UInt64
        package var session: SessionHandle
        package var openStreams: Int
        package var isDraining: Bool
    }

    /// Every session, in no order.
    package func standings(_ slots: Range<Int> = 0..<Int.max) -> [Standing] {
        slots.clamped(to: entries.indices).flatMap { slot -> [Standing] in
            guard let entry = entries[slot] else { return [] }
            return entry.sessions.standings.map { member, openStreams, isDraining in
                Standing(
                    token: entry.token, id: member.id, session: member.session, openStreams: openStreams,
                    isDraining: isDraining)
            }
        }
    }

    /// Every token that is known, in no order.
    ///
    /// - Parameter isConnected: only those that have a session.
    package func summaries(_ slots: Range<Int> = 0..<Int.max, isConnected: Bool = false) -> [Summary] {
        slots.clamped(to: entries.indices).compactMap { slot in
            guard let entry = entries[slot], !isConnected || !entry.sessions.isEmpty else { return nil }
            return Summary(
                token: entry.token, sessions: entry.sessions.all.map(\.session), clients: entry.clients,
                pending: entry.waiting.count + entry.sessions.openStreams, lastCaller: entry.lastCaller,
                requests: entry.requests, lastPeer: entry.lastPeer)
        }
    }
}
