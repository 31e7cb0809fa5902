import BenchmarkReport
import Foundation
import Synchronization
import TestSupport

/// Requests that stand still while a download comes from far away.
enum IdleRequests: Neighbours {
    static let word = "idle-requests"
    static let summary = "beside 720 requests that stand still, and a download over a path of 100 ms"

    static func setting(_ bench: Bench) throws -> Neighbourhood.Setting? {
        Neighbourhood.Setting(others: 1, otherOrigin: try bench.origins.sinkURL)
    }

    static func attack(_ place: Neighbourhood) throws {
        let bench = place.bench
        let relay = try LongPath(to: place.server.port, delay: .milliseconds(50))
        let token = "far-token-of-neighbours"
        let far = try bench.agent(
            at: bench.clientConfiguration("far-\(relay.port)", to: relay.port, tokens: [token]))
        let entrance = Neighbourhood.entrance(of: token, at: place.server)
        try waitUntilOpen(entrance)
        let alone = try speed(of: bench.origins.large, entrance, seconds: place.span)

        let other = place.other()
        let idle = Mutex<[RawStream]>([])
        defer { for stream in idle.withLock(\.self) { stream.abort() } }
        try Attackers.run { _ in
            var pace = Pace(perSecond: 500)
            for _ in 0..<720 {
                pace.wait()
                let stream = try RawStream(port: other.port, from: Attackers.address)
                idle.withLock { $0.append(stream) }
                try stream.write(Transfer.head("POST", "/sink", other, length: 1000))
            }
        }
        let beside = try speed(of: bench.origins.large, entrance, seconds: place.span)
        place.record(alone, "download alone", "MB/s")
        place.record(beside, "download during", "MB/s")
        place.record(beside / alone, "download during / before", "×")
        far.stop()
        withExtendedLifetime(relay) {}
    }

    /// - Returns: how fast a download on a connection of its own is once it has got going, in MB/s.
    private static func speed(
        of body: Origins.Body, _ entrance: Way.Entrance, seconds: Int
    ) throws -> Double {
        let downloads = try Downloads(body, entrance, atOnce: 1)
        Thread.sleep(forTimeInterval: 2)
        let (start, before) = (ContinuousClock.now, downloads.byteCount)
        Thread.sleep(forTimeInterval: TimeInterval(seconds))
        let speed = Double(downloads.byteCount - before) / 1e6 / (start.duration(to: .now) / .seconds(1))
        try downloads.stop()
        return speed
    }
}

/// Callers that ask for a large body and never read it.
enum StuckReaders: Neighbours {
    static let word = "stuck-readers"
    static let summary = "beside 4,000 callers that ask for 64 MiB and never read"

    static func setting(_ bench: Bench) throws -> Neighbourhood.Setting? {
        // A thousand of each: no connection to an origin and no session has room for all.
        Neighbourhood.Setting(others: 4, otherOrigin: "file://\(try bench.origins.root)")
    }

    static func attack(_ place: Neighbourhood) throws {
        let (others, span) = ((0..<4).map { place.other($0) }, place.span)
        let body = try place.bench.origins.middle
        let begun = WaitableCounter()
        try Attackers.run { _ in
            var callers: [RawStream] = []
            defer { for caller in callers { caller.abort() } }
            var pace = Pace(perSecond: 1000)
            for number in 0..<4000 {
                pace.wait()
                let caller = try RawStream(
                    port: others[0].port, from: Attackers.address, receiveBuffer: Attackers.smallBuffer)
                callers.append(caller)
                try caller.write(Transfer.head("GET", body.path, others[number % 4], length: nil))
            }
            sleep(UInt32(span))
            begun.add(callers.filter { String(decoding: $0.peek(12), as: UTF8.self).hasSuffix(" 200") }.count)
        }
        place.record(Double(begun.value), "stuck readers whose answer began")
    }
}

/// Callers behind modems and telephones, in the good tunnel itself.
enum SlowDownloads: Neighbours {
    static let word = "slow-downloads"
    static let summary = "beside 8 downloads at 56 and 8 at 256 kbit/s in the same tunnel"

    static func attack(_ place: Neighbourhood) throws {
        let (entrance, span, body) = (place.way.files, max(place.span, 8), try place.bench.origins.slow)
        let slowest = Mutex(Double.infinity)
        try Attackers.run { _ in
            // Bytes that one of them takes in a tenth of a second.
            let takes = (0..<16).map { ($0 % 2 == 0 ? 56_000 : 256_000) / 8 / 10 }
            var streams: [RawStream] = []
            defer { for stream in streams { stream.abort() } }
            for _ in takes {
                let stream = try RawStream(
                    port: entrance.port, from: Attackers.address, receiveBuffer: Attackers.smallBuffer)
                streams.append(stream)
                try stream.write(Transfer.head("GET", body.path, entrance, length: nil))
            }
            for index in streams.indices { _ = try streams[index].readHead() }
            var (taken, pace) = (Array(repeating: 0, count: 16), Pace(perSecond: 10))
            for round in 1...(10 * span) {
                pace.wait()
                // What they could not take they take as soon as it is there, as the path would bring it.
                for index in takes.indices where round * takes[index] > taken[index] {
                    taken[index] += try streams[index].dropSome(round * takes[index] - taken[index])
                }
            }
            let shares = takes.indices.map { Double(taken[$0]) / Double(takes[$0] * 10 * span) }
            slowest.withLock { $0 = shares.min() ?? 0 }
        }
        place.record(slowest.withLock(\.self) * 100, "of its rate, the slowest download", "%")
    }
}

/// The same in a tunnel that speaks protocol v1, where one message has the connection at a time.
enum OldSlowDownloads: Neighbours {
    static let word = "slow-downloads-v1"
    static let summary = "the same in a tunnel of protocol v1 with one connection"

    static func setting(_ bench: Bench) -> Neighbourhood.Setting? {
        Neighbourhood.Setting(
            server: "max-requests-per-tunnel: 1000", good: "protocol: v1, connections: 1")
    }

    static func attack(_ place: Neighbourhood) throws { try SlowDownloads.attack(place) }
}
