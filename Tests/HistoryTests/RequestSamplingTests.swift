import AgentStatus
import Observability
import Testing

@testable import History

/// A request as the tests have them.
func exampleRequest(
    _ id: UInt64, at: Int64 = 1_764_546_000_000, status: Int? = 200, firstByte: Duration? = .milliseconds(3),
    outcome: AccessOutcome = .ok, token: String? = "abcdefgh...", path: String = "/",
    _ change: (inout AccessRecord) -> Void = { _ in }
) -> EndedRequest {
    var record = AccessRecord(
        serverName: "public", tokenHint: token, requestID: id, method: "GET", path: path, status: status,
        requestBytes: 1, responseBytes: 2,
        timing: RequestTiming(
            whole: 4_000_000, firstByte: firstByte.map { Int64($0 / .nanoseconds(1)) }),
        callerAddress: "192.0.2.7", outcome: outcome)
    change(&record)
    return EndedRequest(record, at: at)
}

@Suite struct RequestSamplingTests {
    @Test func fewAreAllKept() {
        var sampling = RequestSampling()
        let kept = sampling.sample((0..<150).map { exampleRequest($0) }, seconds: 0)
        #expect(kept.count == 150 && kept.allSatisfy { $0.standsFor == 1 })
    }

    @Test func ofManySomeStandForAll() {
        var sampling = RequestSampling()
        var (kept, total) = ([RequestSampling.Kept](), 0)
        for second in 0..<60 {
            let requests = (0..<5000).map { exampleRequest(UInt64(second * 5000 + $0)) }
            total += requests.count
            kept += sampling.sample(requests, seconds: 1)
        }
        #expect(kept.count <= 200 + 60 * 10)
        #expect(kept.reduce(0) { $0 + $1.standsFor } == total)
    }

    @Test func whatWentWrongOrWasSlowIsKeptBesideThem() {
        var sampling = RequestSampling()
        for _ in 0..<10 { _ = sampling.sample((0..<5000).map { exampleRequest($0) }, seconds: 1) }
        let remarkable = [
            exampleRequest(1, status: 502), exampleRequest(2, status: nil, outcome: .tunnelLost),
            exampleRequest(3, firstByte: .seconds(1)), exampleRequest(4, outcome: .noTunnel),
        ]
        let kept = sampling.sample((10..<5000).map { exampleRequest($0) } + remarkable, seconds: 0)
        #expect(kept.map(\.request.id).filter { $0 < 5 } == [1, 2, 3, 4])
        #expect(kept.allSatisfy { $0.request.id >= 5 || $0.standsFor == 1 })
        // There is a bound for them too.
        let flood = (0..<100_000).map { exampleRequest($0, status: 503) }
        let some = sampling.sample(flood, seconds: 1)
        #expect(some.count <= 1100 && some.reduce(0) { $0 + $1.standsFor } >= 100_000)
    }

    @Test func whereNothingMayBeKeptTheNextStandsForIt() {
        var sampling = RequestSampling()
        let first = sampling.sample((0..<1000).map { exampleRequest($0) }, seconds: 0)
        #expect(first.reduce(0) { $0 + $1.standsFor } == 1000)
        #expect(sampling.sample([exampleRequest(1), exampleRequest(2)], seconds: 0) == [])
        let next = sampling.sample([exampleRequest(3)], seconds: 1)
        #expect(next.map(\.standsFor) == [3])
    }
}
