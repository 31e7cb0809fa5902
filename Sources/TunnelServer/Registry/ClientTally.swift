import TunnelConfiguration

/// Whose the sessions of all tokens are.
struct ClientTally: Sendable {
    /// Of one token.
    private struct Part<Value: Hashable & Sendable>: Hashable, Sendable {
        let token: Int
        let value: Value
    }

    /// What a session that joins changes.
    struct Arrival {
        /// The session whose place it takes.
        var replaced: UInt64?
        /// Whether the token had none of this client.
        var isNewClient: Bool
        /// Whether the token had none from this address.
        var isNewAddress: Bool
    }

    private var sessions = Tally<Part<ClientIdentity.Process>>()
    private var addresses = Tally<Part<AddressGroup>>()
    /// The newest session of each connection of a client.
    private var newest: [Part<ClientIdentity>: UInt64] = [:]

    /// Sessions of a client for a token.
    func sessions(of client: ClientIdentity, token: Int) -> Int {
        sessions[Part(token: token, value: client.process)]
    }

    mutating func join(_ id: UInt64, _ client: ClientIdentity, token: Int) -> Arrival {
        let process = Part(token: token, value: client.process)
        let address = Part(token: token, value: client.process.address)
        let arrival = Arrival(
            replaced: newest.updateValue(id, forKey: Part(token: token, value: client)),
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
        return sessions[process] == 0
    }
}
