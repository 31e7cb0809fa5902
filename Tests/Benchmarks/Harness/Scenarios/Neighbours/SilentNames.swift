import BenchmarkReport
import Foundation
import TestSupport

/// Origins whose names nobody answers for.
enum SilentNames: Neighbours {
    static let word = "silent-names"
    static let summary = "beside 20 origins named by callers whose name server never answers (as root)"

    static func setting(_ bench: Bench) throws -> Neighbourhood.Setting? {
        guard getuid() == 0 else {
            bench.note("\(name): skipped: an /etc/resolv.conf of its own takes root")
            return nil
        }
        let resolver: SilentResolver
        do {
            resolver = try SilentResolver(in: bench.folder)
        } catch {
            bench.note("\(name): skipped: \(error)")
            return nil
        }
        // The good tunnel's origin has a name too, and a connection for each request: each must look it up.
        return Neighbourhood.Setting(
            origin: "http://localhost:\(try bench.origins.closing)", others: 1, resolver: resolver)
    }

    static func attack(_ place: Neighbourhood) throws {
        let (end, statuses) = (ContinuousClock.now + .seconds(max(place.span, 12)), StatusCounter())
        let other = place.other()
        try Attackers.run(20) { number in
            var entrance = other
            entrance.fields.append((name: "X-Host", value: "http://name-\(number).silent.test:80"))
            while ContinuousClock.now < end {
                var caller = try RawStream(port: other.port, from: Attackers.address)
                defer { caller.close() }
                try caller.write(Transfer.head("GET", "/", entrance, length: nil))
                let words = try caller.readHead().first?.split(separator: " ") ?? []
                statuses.add("silent", words.count > 1 ? Int(words[1]) ?? 0 : 0)
            }
        }
        place.record(Double(statuses.count("silent")), "answers of silent origins")
        place.record(Double(statuses.count("silent", 502)), "of them 502")
    }
}
