import BenchmarkReport
import Testing

@Suite struct WrkResultTests {
    private static let output = """
        Running 3s test @ http://127.0.0.1:8080/1k
          2 threads and 32 connections
          Thread Stats   Avg      Stdev     Max   +/- Stdev
            Latency     1.99ms  812.00us  20.11ms   79.33%
            Req/Sec     8.11k   412.00     9.02k    70.00%
          Latency Distribution
             50%    1.94ms
             75%    2.35ms
             90%    2.81ms
             99%    4.40ms
          48458 requests in 3.01s, 60.12MB read

        """

    @Test func aWholeResultIsRead() throws {
        let result = try #require(WrkResult(parsing: Self.output + "Requests/sec:  16100.00\n"))
        #expect(result.median == 1.94)
        #expect(result.percentile99 == 4.40)
        #expect(result.requests == 48458)
        #expect(result.seconds == 3.01)
        #expect((result.refusals, result.socketErrors) == (0, 0))
        #expect(result.requestsPerSecond == 48458 / 3.01)
    }

    @Test func errorsAreCounted() throws {
        let errors = """
              Socket errors: connect 1, read 20, write 3, timeout 4000
              Non-2xx or 3xx responses: 17

            """
        let result = try #require(WrkResult(parsing: Self.output + errors))
        #expect(result.refusals == 17)
        #expect(result.socketErrors == 4024)
    }

    @Test(arguments: [
        ("941.00us", 0.941), ("1.94ms", 1.94), ("1.05s", 1050), ("1.50m", 90_000), ("0.00us", 0),
    ]) func latenciesAreMilliseconds(text: String, milliseconds: Double) throws {
        let output = Self.output.replacing("1.94ms", with: text)
        let result = try #require(WrkResult(parsing: output))
        #expect(abs(result.median - milliseconds) < 1e-9)
    }

    @Test(arguments: ["", "unable to connect to 127.0.0.1:1 Connection refused\n", "50% fast\n"])
    func whatIsNoResultIsNone(text: String) { #expect(WrkResult(parsing: text) == nil) }

    @Test func aResultWithoutItsEndIsNone() {
        #expect(WrkResult(parsing: Self.output.replacing("requests in", with: "requests or")) == nil)
    }
}
