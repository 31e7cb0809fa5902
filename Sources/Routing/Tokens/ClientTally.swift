import TunnelConfiguration

/// Whose the sessions of all tokens are.
struct ClientTally: Sendable {
    /// Of one token.
    private struct Part<Value: Hashable & Sendable>: Hashable, Sendable {
        let token: Int
        let value: Value
    }

    /// One of a client's connections, wherever it comes from.
    private struct Connection: Hashable, Sendable {
        let text: String
        let slot: Int

        init(_ client: ClientIdentity) {
            text = client.process.text
            slot = client.slot
        }
    }

    /// What a session that joins changes.
    struct Arrival {
        /// The session whose place it takes.
        var replaced: UInt64?
        /// The newest session of the same connection, where that came from another address: the client's address may
        /// have changed, or somebody claims to be this client.
        var elsewhere: UInt64?
        /// Whether the token had none of this client.
        var isNewClient: Bool
        /// Whether the token had none from this address.
        var isNewAddress: Bool
    }

    private var sessions = Tally<Part<ClientIdentity.Process>>()
    private var addresses = Tally<Part<AddressGroup>>()
    /// The newest session of each connection of a client.
    private var newest: [Part<ClientIdentity>: UInt64] = [:]
    /// The same, whatever the address.
    private var newestAnywhere: [Part<Connection>: UInt64] = [:]

    /// Sessions of a client for a token.
    func sessions(of client: ClientIdentity, token: Int) -> Int {
        sessions[Part(token: token, value: client.process)]
    }

    mutating func join(_ id: UInt64, _ client: ClientIdentity, token: Int) -> Arrival {
        let process = Part(token: token, value: client.process)
        let address = Part(token: token, value: client.process.address)
        let replaced = newest.updateValue(id, forKey: Part(token: token, value: client))
        let before = newestAnywhere.updateValue(id, forKey: Part(token: token, value: Connection(client)))
        let arrival = Arrival(
            replaced: replaced, elsewhere: before == replaced ? nil : before,
            isNewClient: sessions[process] == 0, isNewAddress: addresses[address] == 0)
        sessions.add(process)
        addresses.add(address)
        return arrival
    }

    /// - Returns: whether the token has none of this client any more.
    mutating func leave(_ id: UInt64, _ client: ClientIdentity, token: Int) -> Bool {
        let process = Part(token: token, value: client.process)
        sessions.remove(process)
        addresses.remove(Part(token: token, value: client.process.address))
        let connection = Part(token: token, value: client)
        if newest[connection] == id { newest[connection] = nil }
        let anywhere = Part(token: token, value: Connection(client))
        if newestAnywhere[anywhere] == id { newestAnywhere[anywhere] = nil }
        return sessions[process] == 0
    }
}
