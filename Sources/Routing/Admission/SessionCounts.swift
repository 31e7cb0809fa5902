package import TunnelConfiguration
package import TunnelProtocol

/// How many sessions a server has, and whose, from the handshake on: the bounds on them, without I/O.
package struct SessionCounts: Sendable {
    /// Most sessions at once.
    package struct Limits: Hashable, Sendable {
        /// Of the server.
        package var all: Int
        package var perToken: Int
        package var perAddress: Int

        package init(all: Int, perToken: Int, perAddress: Int) {
            self.all = all
            self.perToken = perToken
            self.perAddress = perAddress
        }
    }

    private var tokens = Tally<RendezvousToken>()
    private var addresses = Tally<AddressGroup>()
    package private(set) var all = 0

    package init() {}

    /// - Throws: of what there are too many.
    package func checkRoom(
        for token: RendezvousToken, from address: AddressGroup, _ limits: Limits
    ) throws(AdmissionError) {
        guard all < limits.all else { throw .tooManySessions }
        guard tokens[token] < limits.perToken else { throw .tooManySessionsOfToken }
        guard addresses[address] < limits.perAddress else { throw .tooManySessionsFromAddress }
    }

    package mutating func enter(_ token: RendezvousToken, from address: AddressGroup) {
        all += 1
        tokens.add(token)
        addresses.add(address)
    }

    package mutating func leave(_ token: RendezvousToken, from address: AddressGroup) {
        all -= 1
        tokens.remove(token)
        addresses.remove(address)
    }
}
