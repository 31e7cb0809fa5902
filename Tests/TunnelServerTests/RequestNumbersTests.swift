import Testing

@testable import TunnelServer

/// Numbers of requests of protocol v1.
@Suite struct RequestNumbersTests {
    @Test func requestsAreCountedModulo32000FromOne() {
        let numbers = RequestNumbers()
        let all = (0..<64_001).map { _ in numbers.next() }
        #expect(all.first == 1 && all[31_998] == 31_999 && all[31_999] == 0 && all[64_000] == 1)
        #expect(Set(all.prefix(32_000)).count == 32_000)
    }
}
