import Foundation
import TestSupport
import Testing

@testable import HostSystem

@Suite struct InheritedSocketsTests {
    private static func parse(
        _ processID: String?, _ count: String?, _ names: String? = nil
    ) throws -> [InheritedSocket] {
        try InheritedSocket.parse(processID: processID, count: count, names: names, ownProcessID: 42)
    }

    @Test func socketsOfAnotherProcessAreNotOurs() throws {
        #expect(try Self.parse("41", "2") == [])
        #expect(try Self.parse("41", "nonsense", "a:b:c") == [])
        #expect(try Self.parse(nil, "2") == [])
        #expect(try Self.parse("nonsense", "2") == [])
        #expect(try Self.parse("42", nil) == [])
        #expect(try Self.parse("42", "0", "") == [])
    }

    @Test func withoutNamesTheyAreUnknown() throws {
        let sockets = try Self.parse("42", "2")
        #expect(sockets.map(\.name) == ["unknown", "unknown"])
        #expect(sockets.map(\.descriptor) == [3, 4])
    }

    @Test func twoSocketsMayShareAName() throws {
        let sockets = try Self.parse("42", "3", "web:web:")
        #expect(sockets.map(\.name) == ["web", "web", ""])
        #expect(sockets.map(\.descriptor) == [3, 4, 5])
    }

    @Test(arguments: ["-1", "1025", "x", "99999999999999999999", "1 "])
    func nonsenseCountsAreRefused(count: String) {
        let error = #expect(throws: InheritedSocketsError.self) { try Self.parse("42", count) }
        #expect(
            error?.description == "socket activation: LISTEN_FDS is \"\(count)\", not a number from 0 to 1024"
        )
    }

    @Test func asManyNamesAsSockets() {
        #expect(throws: InheritedSocketsError.self) { try Self.parse("42", "2", "one") }
        #expect(throws: InheritedSocketsError.self) { try Self.parse("42", "1", "one:two") }
    }

    @Test func aListeningSocketIsClaimedAndNotInherited() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        try #require(listen(descriptor, 1) == 0)
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0)
        try InheritedSocket(name: "web", descriptor: descriptor).claim()
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func whatCannotAcceptIsRefused() throws {
        let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(silent) }
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(datagrams) }
        for descriptor in [silent, datagrams] {
            let error = #expect(throws: InheritedSocketsError.self) {
                try InheritedSocket(name: "web", descriptor: descriptor).claim()
            }
            #expect(error?.description.contains("socket \"web\" does not listen") == true)
        }
        let error = #expect(throws: InheritedSocketsError.self) {
            try InheritedSocket(name: "web", descriptor: 1_000_000).claim()
        }
        #expect(error?.description.contains("descriptor 1000000 is not open") == true)
    }
}
