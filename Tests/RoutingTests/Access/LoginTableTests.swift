import HTTPMessage
import Routing
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@Suite struct LoginTableTests {
    private typealias Table = LoginTable<Int>

    private static func time(_ seconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(seconds + 1) * 1_000_000_000)
    }

    private static func claim(_ user: String, _ password: String) throws -> PasswordClaim {
        let hash = try #require(
            PasswordHash("$2y$04$abcdefghijklmnopqrstuugZw0e/b5r1sdG/3LSl4QiQiC2VrNNoC"))
        let list = LoginList(users: ["alice": hash], bearers: [])
        guard case .password(let claim) = list.claim(in: .init([.authorization: basic(user, password)]))
        else { throw TestFailure("no claim") }
        return claim
    }

    private static func basic(_ user: String, _ password: String) -> String {
        BasicAuthorization.encode(user: user, password: password)
    }

    private static let key = LoginKey([1])
    private static let address = AddressGroup("192.0.2.1")

    private static func name(_ step: Table.Step) -> String {
        switch step {
        case .isRight: "right"
        case .look: "look"
        case .waits: "waits"
        case .isBusy: "busy"
        }
    }

    @Test func oneLookIsForAllWhoBringTheSame() throws {
        var table = Table()
        let digest = Self.key.digest(of: try Self.claim("alice", "right"))
        let steps = (0..<3).map { table.enter(digest, from: Self.address, now: Self.time(0), waiter: $0) }
        #expect(steps.map(Self.name) == ["look", "waits", "waits"])
        #expect(table.looked(digest, isRight: true, now: Self.time(1)) == [0, 1, 2])
        #expect(Self.name(table.enter(digest, from: Self.address, now: Self.time(2), waiter: 3)) == "right")
        #expect(table.remembers(digest, now: Self.time(300)))
        #expect(!table.remembers(digest, now: Self.time(301)))
    }

    @Test func whatIsWrongIsLookedAtAgain() throws {
        var table = Table()
        let digest = Self.key.digest(of: try Self.claim("alice", "wrong"))
        _ = table.enter(digest, from: Self.address, now: Self.time(0), waiter: 0)
        #expect(table.looked(digest, isRight: false, now: Self.time(1)) == [0])
        #expect(Self.name(table.enter(digest, from: Self.address, now: Self.time(1), waiter: 1)) == "look")
    }

    @Test func noTwoClaimsAreTakenForOne() throws {
        let claims = try [("alice", "a"), ("alice", "b"), ("alicea", ""), ("bob", "a"), ("", "alicea")].map {
            Self.key.digest(of: try Self.claim($0.0, $0.1))
        }
        #expect(Set(claims).count == claims.count)
        #expect(LoginKey([2]).digest(of: try Self.claim("alice", "a")) != claims[0])
    }

    @Test func oneAddressLeavesRoomForOthers() throws {
        var table = Table()
        func enter(_ password: Int, _ address: String) throws -> String {
            let digest = Self.key.digest(of: try Self.claim("alice", "\(password)"))
            return Self.name(
                table.enter(digest, from: AddressGroup(address), now: Self.time(0), waiter: password))
        }
        for password in 0..<Table.mostOfAddress { #expect(try enter(password, "192.0.2.1") == "look") }
        #expect(try enter(1000, "192.0.2.1") == "busy")
        #expect(try enter(1001, "192.0.2.2") == "look")
        for address in 3..<200 {
            for password in 0..<2 { _ = try enter(2000 + 2 * address + password, "192.0.2.\(address)") }
        }
        #expect(try enter(9000, "198.51.100.1") == "busy")
    }

    @Test func whatIsRememberedHasABound() throws {
        var table = Table()
        let first = Self.key.digest(of: try Self.claim("alice", "first"))
        for number in 0...Table.mostRemembered {
            let digest = number == 0 ? first : Self.key.digest(of: try Self.claim("alice", "\(number)"))
            _ = table.enter(digest, from: Self.address, now: Self.time(0), waiter: number)
            _ = table.looked(digest, isRight: true, now: Self.time(0))
        }
        #expect(!table.remembers(first, now: Self.time(1)))
        let last = Self.key.digest(of: try Self.claim("alice", "\(Table.mostRemembered)"))
        #expect(table.remembers(last, now: Self.time(1)))
    }
}
