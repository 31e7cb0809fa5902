import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// How many sessions a token, an address and the server may have.
@Suite struct SessionCountsTests {
    private let here = AddressGroup("192.0.2.1")
    private let elsewhere = AddressGroup("192.0.2.2")

    private static let limits = SessionCounts.Limits(all: 8, perToken: 3, perAddress: 5)

    private static func answer(
        _ counts: SessionCounts, _ token: String, _ address: AddressGroup
    ) throws -> String {
        let token = try RendezvousToken(token)
        do throws(AdmissionError) {
            try counts.checkRoom(for: token, from: address, limits)
            return "room"
        } catch {
            let refusal = Refusal(error)
            return "\(refusal.status) \(refusal.label)"
        }
    }

    @Test func thereIsABoundForATokenForAnAddressAndForTheServer() throws {
        var counts = SessionCounts()
        let (one, two) = (
            try RendezvousToken("bounds-test-token-1"), try RendezvousToken("bounds-test-token-2")
        )
        for _ in 0..<3 { counts.enter(one, from: here) }
        #expect(try Self.answer(counts, one.secret, elsewhere) == "429 too-many-sessions-of-token")
        #expect(try Self.answer(counts, two.secret, here) == "room")
        for _ in 0..<2 { counts.enter(two, from: here) }
        #expect(try Self.answer(counts, two.secret, here) == "429 too-many-sessions-from-address")
        #expect(try Self.answer(counts, two.secret, elsewhere) == "room")
        counts.leave(one, from: here)
        #expect(try Self.answer(counts, two.secret, here) == "room")
        #expect(try Self.answer(counts, one.secret, elsewhere) == "room")
        for number in 0..<4 { counts.enter(two, from: AddressGroup("198.51.100.\(number)")) }
        #expect(counts.all == 8)
        #expect(try Self.answer(counts, one.secret, elsewhere) == "503 too-many-sessions")
    }
}
