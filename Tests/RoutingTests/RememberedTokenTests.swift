import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// Which tokens without sessions stay known.
@Suite final class RememberedTokenTests {
    private typealias Table = TokenTable

    private let start = MonotonicInstant(nanoseconds: 1)
    private let stranger = AddressGroup("192.0.2.1")
    private let good = AddressGroup("2001:db8::1")
    private var table = Table(maximumWaiting: 3, maximumClients: nil)
    private var lastID: UInt64 = 0

    private static func token(_ text: String) throws -> RendezvousToken {
        try RendezvousToken("remembered-\(text)")
    }

    /// A session comes and leaves.
    private func visit(_ text: String, from address: AddressGroup, isListed: Bool = false) throws {
        lastID += 1
        let client = ClientIdentity(process: "p", slot: 0, address: address)
        _ = table.join(
            try Self.token(text),
            Table.Member(id: lastID, session: 0, loop: 0, capacity: 1, client: client), now: start)
        table.leave(lastID, isListed: isListed, now: start)
    }

    private func knows(_ text: String, at now: MonotonicInstant? = nil) throws -> Bool {
        switch table.request(try Self.token(text), loop: 0, now: now ?? start, request: { 0 }) {
        case .wait(let id, _): table.abandon(try Self.token(text), id) != nil
        default: false
        }
    }

    @Test func madeUpTokensPushNobodyOut() throws {
        for number in 0..<100 {
            try visit("token-of-an-agent-\(number)", from: good)
            try visit("token-of-another-\(number)", from: AddressGroup("2001:db8:\(number)::1"))
        }
        try visit("listed-token-1", from: stranger, isListed: true)
        for number in 0..<Table.maximumTokens + 1000 { try visit("made-up-token-\(number)", from: stranger) }
        try visit("token-of-an-agent-x", from: good)
        #expect(table.tokenCount == Table.maximumTokens)
        #expect(try knows("listed-token-1"))
        #expect(try knows("token-of-an-agent-x"))
        for number in 0..<100 {
            #expect(try knows("token-of-an-agent-\(number)"))
            #expect(try knows("token-of-another-\(number)"))
        }
        #expect(try !knows("made-up-token-0"), "the oldest of who has the most")
        #expect(try knows("made-up-token-\(Table.maximumTokens + 999)"))
    }

    @Test func forgettingGoesInParts() throws {
        for number in 0..<10 { try visit("token-number-\(number)", from: stranger) }
        let late = start.advanced(by: Table.memory)
        table.forgetOld(now: late, most: 4)
        #expect(table.tokenCount == 6)
        table.forgetOld(now: late, most: 100)
        #expect(table.tokenCount == 0)
        // Their slots are taken anew.
        try visit("token-number-x", from: good)
        #expect(table.slotCount == 10)
    }

    @Test func oneThatIsServedAgainIsNotForgotten() throws {
        let token = try Self.token("token-number-1")
        try visit("token-number-1", from: stranger)
        lastID += 1
        let client = ClientIdentity(process: "p", slot: 0, address: stranger)
        _ = table.join(
            token, Table.Member(id: lastID, session: 0, loop: 0, capacity: 0, client: client), now: start)
        table.forgetOld(now: start.advanced(by: Table.memory * 2), most: 100)
        #expect(table.isUp(token))
    }

    @Test func aTableKnowsWhatAnotherKnew() throws {
        for number in 0..<10 { try visit("token-number-\(number)", from: stranger) }
        var other = Table(maximumWaiting: 3, maximumClients: nil)
        for part in [0..<4, 4..<8, 8..<12] {
            for (token, owner) in table.known(part) { other.remember(token, owner: owner, now: start) }
        }
        let last = try Self.token("token-number-9")
        #expect(other.tokenCount == 10 && other.hasSeen(last))
        other.forgetOld(now: start.advanced(by: Table.memory), most: 10)
        #expect(other.tokenCount == 0)
    }

    @Test func aTableDoesNotKnowWhatAnotherOnlyHeardOf() throws {
        try visit("token-number-1", from: stranger)
        table.expect(.every, until: start.advanced(by: .seconds(30)))
        for (name, isListed) in [("guessed-token-1", false), ("listed-token-1", true)] {
            let token = try Self.token(name)
            let decision = table.request(token, loop: 0, now: start, isListed: isListed) { 0 }
            guard case .wait = decision else {
                Issue.record("\(name) does not wait")
                return
            }
        }
        #expect(table.tokenCount == 3)
        #expect(table.known(0..<10).map(\.token) == [try Self.token("token-number-1")])
    }

    /// Whatever comes and goes, who is given up has no less than half as many as who has the most.
    @Test(arguments: 0..<10) func whoHasTheMostGivesOneUp(_ seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var resting = RestingTokens()
        var model: [Int: AddressGroup?] = [:]
        var order: [Int] = []
        for _ in 0..<2000 {
            let slot = Int.random(in: 0..<200, using: &random)
            if Int.random(in: 0..<5, using: &random) > 1 {
                let number = Int.random(in: 0..<8, using: &random)
                let owner = number == 0 ? nil : AddressGroup.ipv4(UInt32(number * number / 10))
                resting.insert(slot, owner: owner)
                model.updateValue(owner, forKey: slot)
                order.removeAll { $0 == slot }
                order.append(slot)
            } else {
                resting.remove(slot)
                model[slot] = nil
                order.removeAll { $0 == slot }
            }
            #expect(resting.oldest == order.first, "seed \(seed)")
            #expect(resting.contains(slot) == (model[slot] != nil), "seed \(seed)")
            let counts = model.values.compactMap(\.self).reduce(into: [AddressGroup: Int]()) {
                $0[$1, default: 0] += 1
            }
            guard let victim = resting.mostExpendable, let owner = model[victim] ?? nil else {
                #expect(counts.isEmpty, "seed \(seed)")
                continue
            }
            #expect(counts[owner, default: 0] * 2 > counts.values.max() ?? 0, "seed \(seed)")
            #expect(order.first { model[$0] == owner } == victim, "seed \(seed): the oldest of its owner")
        }
    }
}
