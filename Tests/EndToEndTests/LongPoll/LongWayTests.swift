import TestSupport
import Testing

/// How fast a tunnel is whose client is far from its server.
@Suite struct LongWayTests {
    private static let mebibytes = 128
    private static let each = Duration.milliseconds(50)

    @Test(.timeLimit(.minutes(5)), .enabled(if: LongPoll.isSlow))
    func aLongWayIsNotANarrowOne() throws {
        let way = Way(testDescription: "50 ms each way") { server in
            let relay = try FaultyRelay(to: server, RelayFaults { $0.delay = Self.each })
            return Way.Opened(port: relay.port, between: [relay])
        }
        let tunnel = try CarriedTunnel(over: way, largeMebibytes: Self.mebibytes)
        let url = "http://127.0.0.1:\(tunnel.port)"
        let down = try tunnel.rate("speed_download", ["-o", "/dev/null", url + "/large.bin"])
        let up = try tunnel.rate(
            "speed_upload", ["-T", tunnel.files.root + "/large.bin", url + "/upload/file.bin"])
        let caller = try HTTPConnection(port: tunnel.port)
        let clock = ContinuousClock()
        let times = try (0..<200).map { _ in
            var status = 0
            let time = try clock.measure {
                status = try caller.exchange("GET", "/", fields: CarriedTunnel.token).status
            }
            #expect(status == 200)
            return time
        }
        let median = times.percentile(50)
        print(
            "\(LongPoll.transport), 50 ms each way: \(Int(down)) MB/s down, \(Int(up)) MB/s up, p50 \(median)"
        )
        #expect(down >= 20)
        #expect(up >= 10)
        #expect(median <= Self.each * 2 + .milliseconds(15))
    }
}

extension CarriedTunnel {
    /// What curl measured, in MB/s.
    fileprivate func rate(_ name: String, _ arguments: [String]) throws -> Double {
        let result = try curl(filesArguments + arguments, within: .seconds(120))
        #expect(result.exitCode == 0 && result.status < 300, "\(result.standardError)")
        return (result.values[name].flatMap { Double($0) } ?? 0) / 1e6
    }
}
