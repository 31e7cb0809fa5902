import Testing

@testable import Routing

/// Who was let in before.
@Suite struct KnownClientsTests {
    private typealias Clients = KnownClients<String>

    @Test func aClientIsKnownInItsOwnGroupOnly() {
        var clients = Clients()
        #expect(!clients.contains("a", of: "group"))
        clients.insert("a", of: "group")
        #expect(clients.contains("a", of: "group"))
        #expect(!clients.contains("b", of: "group") && !clients.contains("a", of: "other"))
    }

    @Test func theLastOnesOfAGroupAreKept() {
        var clients = Clients()
        for number in 0..<Clients.groupSize { clients.insert("\(number)", of: "group") }
        #expect((0..<Clients.groupSize).allSatisfy { clients.contains("\($0)", of: "group") })
        // One that comes again takes no place of another, and is the last.
        clients.insert("0", of: "group")
        #expect((0..<Clients.groupSize).allSatisfy { clients.contains("\($0)", of: "group") })
        clients.insert("new", of: "group")
        #expect(clients.contains("0", of: "group") && !clients.contains("1", of: "group"))
    }

    /// Who is let in with ever new texts pushes out nobody but who happens to share his places.
    @Test func oneGroupDoesNotPushOutTheOthers() {
        var clients = Clients()
        let groups = (0..<100).map { "group \($0)" }
        for group in groups { clients.insert("client", of: group) }
        for number in 0..<100_000 { clients.insert("\(number)", of: "flood") }
        #expect(groups.count { clients.contains("client", of: $0) } >= 95)
    }
}
