import HostSystem
import Synchronization
import TestSupport
import Testing

@testable import TunnelServer

@Suite(.timeLimit(.minutes(1))) struct ReverseNamesTests {
    @Test func aNameIsAskedForOnceAndNobodyWaitsForIt() throws {
        let asked = Mutex<[String]>([])
        let (arrived, answer, done) = (Gate(), Gate(), Gate())
        let names = ReverseNames { address in
            asked.withLock { $0.append(address) }
            guard address == "192.0.2.1" else {
                done.open()
                return nil
            }
            arrived.open()
            try? answer.wait()
            return "client.example.com"
        }
        names.lookUp("192.0.2.1")
        try arrived.wait()
        #expect(names.name(of: "192.0.2.1") == nil)
        names.lookUp("192.0.2.1")
        names.lookUp("192.0.2.2")
        answer.open()
        // One after another: when the second is asked for, the first is known.
        try done.wait()
        #expect(names.name(of: "192.0.2.1") == "client.example.com")
        names.lookUp("192.0.2.1")
        names.lookUp("192.0.2.2")
        #expect(asked.withLock { $0 } == ["192.0.2.1", "192.0.2.2"])
        #expect(names.name(of: "192.0.2.3") == nil)
    }

    @Test func aNetworkWithoutAnswersHoldsUpNoOther() throws {
        let (answer, done) = (Gate(), Gate())
        defer { answer.open() }
        let names = ReverseNames { address in
            guard address.hasPrefix("192.0.2.") else {
                done.open()
                return "client.example.com"
            }
            try? answer.wait()
            return nil
        }
        for host in 1...20 { names.lookUp("192.0.2.\(host)") }
        names.lookUp("198.51.100.1")
        try done.wait()
    }

    @Test func whatIsNoAddressHasNoName() {
        #expect(SystemNames.name(of: "not an address") == nil)
        #expect(SystemNames.name(of: "") == nil)
    }
}
