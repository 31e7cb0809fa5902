import HostSystem
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import NameResolution

@Suite(.timeLimit(.minutes(1))) struct NameResolverTests {
    private let loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private static let limits = LookUpLimits(places: 4, placesPerZone: 2)

    private static func address(_ text: String, _ port: Int = 0) throws -> SocketAddress {
        try SocketAddress(ipAddress: text, port: port)
    }

    @Test(arguments: [
        ("192.0.2.1", ["192.0.2.1"]), ("2001:db8::1", ["2001:db8::1"]), ("localhost", ["::1", "127.0.0.1"]),
        ("LOCALHOST", ["::1", "127.0.0.1"]), ("a.b.localhost.", ["::1", "127.0.0.1"]),
    ])
    func whatNobodyHasToBeAskedForIsKnown(host: String, addresses: [String]) async throws {
        let names = NameResolver(Self.limits) { name in
            Issue.record("\(name) was looked up")
            return nil
        }
        let found = try await names.lookUp(host, port: 80, on: loop).addresses.get()
        #expect(found == (try addresses.map { try Self.address($0, 80) }))
    }

    @Test func aNameWithoutAddressIsNamed() async throws {
        let names = NameResolver(Self.limits) { _ in nil }
        let error = try await #require(throws: NameLookUpError.self) {
            _ = try await names.lookUp("no.example", port: 80, on: loop).addresses.get()
        }
        #expect(error.description == "the host name \"no.example\" cannot be resolved")
    }

    @Test func aSilentZoneHoldsUpNoOtherName() async throws {
        let (reached, end) = (WaitableCounter(), Gate())
        let names = NameResolver(Self.limits) { name in
            guard name.hasSuffix("silent.example") else {
                return (try? Self.address("127.0.0.1")).map { [$0] }
            }
            reached.add(1)
            try? end.wait()
            return nil
        }
        defer { end.open() }
        let silent = (0..<50).map { names.lookUp("\($0).silent.example", port: 80, on: loop) }
        try await onThread { try reached.wait(for: 2, within: .seconds(20), what: "silence") }
        for number in 0..<20 {
            let found = try await names.lookUp("\(number).good.example", port: 81, on: loop).addresses.get()
            #expect(found == [try Self.address("127.0.0.1", 81)])
        }
        #expect(reached.value == 2)
        for lookUp in silent { lookUp.cancelQueries() }
        for lookUp in silent {
            let error = await #expect(throws: NameLookUpError.self) { _ = try await lookUp.addresses.get() }
            #expect(error?.reason == .withdrawn)
        }
        // Of those that waited in the line none is looked up any more.
        end.open()
        _ = try await names.lookUp("last.good.example", port: 80, on: loop).addresses.get()
        #expect(reached.value == 2)
    }

    @Test func aFailedConnectionHasTheNameLookedUpAnew() async throws {
        let count = WaitableCounter()
        let names = NameResolver(Self.limits) { _ in
            count.add(1)
            return (try? Self.address("127.0.0.1")).map { [$0] }
        }
        for _ in 0..<3 { _ = try await names.lookUp("A.example", port: 80, on: loop).addresses.get() }
        #expect(count.value == 1)
        names.lookUp("a.example", port: 80, on: loop).provedWrong()
        _ = try await names.lookUp("a.example", port: 80, on: loop).addresses.get()
        #expect(count.value == 2)
    }

    @Test func aNameWithoutAddressIsNotLookedUpAgainAtOnce() async throws {
        let count = WaitableCounter()
        var limits = Self.limits
        limits.failureLifetime = .minutes(1)
        let names = NameResolver(limits) { _ in
            count.add(1)
            return nil
        }
        for _ in 0..<2 {
            let lookUp = names.lookUp("no.example", port: 80, on: loop)
            await #expect(throws: NameLookUpError.self) { _ = try await lookUp.addresses.get() }
            lookUp.provedWrong()
        }
        #expect(count.value == 1)
    }

    @Test func aConnectionIsMadeToWhatTheNameStandsFor() async throws {
        let server = try ScriptedOrigin { connection in _ = connection.waitForEnd() }
        // The first address refuses: happy eyeballs take the other.
        let names = NameResolver(Self.limits) { _ in
            ["::1", "127.0.0.1"].compactMap { try? SocketAddress(ipAddress: $0, port: 0) }
        }
        let channel = try await ClientBootstrap(group: loop)
            .resolver(names.lookUp("origin.example", port: server.port, on: loop))
            .connect(host: "origin.example", port: server.port).get()
        #expect(channel.remoteAddress?.port == server.port)
        try await channel.close()
    }

    @Test(arguments: [
        ("a.b.example.co.uk", "example.co.uk"), ("example.com.au.", "example.com.au"), ("co.uk", "co.uk"),
        ("a.b.example.uk", "example.uk"), ("a.co.example", "co.example"), ("a.b.example.de", "example.de"),
    ])
    func whatACountrysRegistryHandsOutIsAZone(name: String, zone: String) {
        #expect(NameResolver.zone(of: name) == zone)
    }

    @Test func theZoneIsWhatAStrangerCannotMultiply() {
        #expect(NameResolver.zone(of: "a.b.example.com") == "example.com")
        #expect(NameResolver.zone(of: "example.com.") == "example.com")
        #expect(NameResolver.zone(of: "db") == "db")
    }

    @Test func theSystemKnowsNoInvalidName() {
        #expect(SystemNames.addresses(of: "no-such-host.invalid") == nil)
    }
}
