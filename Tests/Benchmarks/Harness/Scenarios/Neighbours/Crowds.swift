import BenchmarkReport
import Foundation
import Synchronization
import TestSupport

// Tunnel clients without number. It is the count that tells, not the rate: they come as fast as a server could be asked
// to take them, and the machine has something left.

/// Thousands of sessions of one token, and requests for it.
enum ManySessions: Neighbours {
    static let word = "sessions"
    static let summary =
        "beside 18,000 sessions of one token (6,000 with --quick) that take requests and never answer"

    static func attack(_ place: Neighbourhood) throws {
        let wanted = place.bench.settings.isQuick ? 6000 : 18_000
        let count = min(wanted, Limits.openFiles - 1500)
        if count < wanted { place.bench.note("\(name): \(count) sessions, as no more files may be open") }
        try Crowd(token: "evil-token-of-sessions", count: count, perSecond: 1500).come(to: place)
    }
}

/// One client that says it has more connections than any has.
enum NumberedClients: Neighbours {
    static let word = "numbered-clients"
    static let summary = "beside 1,500 sessions of one client, each another of its connections"

    static func setting(_ bench: Bench) -> Neighbourhood.Setting? {
        Neighbourhood.Setting(server: "max-clients-per-token: 5")
    }

    static func attack(_ place: Neighbourhood) throws {
        try Crowd(token: "evil-token-of-numbers", count: 1500, perSecond: 500, client: "evil/")
            .come(to: place)
    }
}

/// Sessions of one token that come, take requests, and leave all at once.
private struct Crowd {
    var token: String
    var count: Int
    var perSecond: Int
    /// What stands before the number in `X-Tunnel-Client`; nil for no such field.
    var client: String?

    func come(to place: Neighbourhood) throws {
        let (port, span) = (place.server.port, place.span)
        let entrance = Neighbourhood.entrance(of: token, at: place.server)
        let refusals = Mutex<[String]>([])
        try Attackers.run { _ in
            var sessions: [RawStream] = []
            defer { for session in sessions { session.abort() } }
            var pace = Pace(perSecond: perSecond)
            for number in 0..<count {
                pace.wait()
                let client = client.map { $0 + String(number) }
                do {
                    sessions.append(try RawStream(sessionOf: token, port: port, client: client))
                } catch {
                    refusals.withLock { $0.append("number \(number): \(error)") }
                }
            }
            var callers: [RawStream] = []
            defer { for caller in callers { caller.abort() } }
            pace = Pace(perSecond: 50)
            for _ in 0..<(50 * span) {
                pace.wait()
                let caller = try RawStream(port: port, from: Attackers.address)
                callers.append(caller)
                try caller.write(Transfer.head("GET", "/", entrance, length: nil))
            }
        }
        let refused = refusals.withLock(\.self)
        place.record(Double(count - refused.count), "sessions that were let in")
        if let first = refused.first {
            place.bench.note("\(refused.count) sessions were not let in: \(first)")
        }
    }
}

/// Handshakes with tokens that the server does not know, so that it has no room to remember who guesses at the password
/// of one that it does.
enum JunkHandshakes: Neighbours {
    static let word = "junk-handshakes"
    static let summary =
        "beside 20,000 handshakes with unknown tokens, and 300 guesses at the good tunnel's password"
    private static let password = "correct-horse"

    static func setting(_ bench: Bench) -> Neighbourhood.Setting? {
        Neighbourhood.Setting(password: password)
    }

    static func attack(_ place: Neighbourhood) throws {
        let port = place.server.port
        let statuses = StatusCounter()
        let junk = WaitableCounter()
        try Attackers.run(3) { attacker in
            if attacker < 2 {
                var pace = Pace(perSecond: 1250)
                for number in 0..<10_000 {
                    pace.wait()
                    let handshake = TunnelWire.handshake(
                        "junk-token-without-an-end-\(attacker)-\(number)", port: port, password: "x")
                    statuses.add("junk", try once(handshake, port, from: Attackers.address))
                    junk.add(1)
                }
                return
            }
            try junk.wait(for: 11_000, within: .seconds(120), what: "junk")
            var pace = Pace(perSecond: 100)
            for number in 0..<300 {
                pace.wait()
                let guess = TunnelWire.handshake(
                    Neighbourhood.goodToken, port: port, password: "guess-\(number)")
                statuses.add("guess", try once(guess, port, from: 3))
            }
        }
        place.record(Double(statuses.count("junk", 401)), "junk that was looked at")
        place.record(Double(statuses.count("guess", 401)), "guesses that were looked at")
        // From where the good tunnel's client is, the right password still opens.
        let right = TunnelWire.handshake(Neighbourhood.goodToken, port: port, password: password)
        let status = try once(right, port, from: 1)
        guard status == 101 else { throw TestFailure("the right password is answered with \(status)") }
    }

    /// - Returns: the answer's status.
    private static func once(_ handshake: String, _ port: Int, from source: UInt32) throws -> Int {
        var stream = try RawStream(port: port, from: source)
        defer { stream.abort() }
        return try stream.shakeHands(handshake)
    }
}

/// Sessions of more tokens than a server remembers, each for a moment, and callers with as many others.
enum MadeUpTokens: Neighbours {
    static let word = "made-up-tokens"
    static let summary =
        "beside sessions of 100,000 tokens, and requests for 100,000 (10,000 with --quick); then a newcomer"

    static func attack(_ place: Neighbourhood) throws {
        let port = place.server.port
        let count = place.bench.settings.isQuick ? 10_000 : 100_000
        let refused = WaitableCounter()
        let statuses = StatusCounter()
        try Attackers.run(3) { half in
            guard half < 2 else { return try ask(count, port, statuses) }
            var pace = Pace(perSecond: 1250)
            for number in 0..<(count / 2) {
                pace.wait()
                do {
                    try RawStream(sessionOf: "made-up-token-\(half)-\(number)", port: port, isOld: true)
                        .abort()
                } catch {
                    refused.add(1)
                }
            }
        }
        place.record(Double(count - refused.value), "tokens that were let in")
        place.record(Double(statuses.count("request", 404)), "requests for others answered with 404")
        place.record(Double(statuses.count("request", 429)), "requests for others refused as guesses")
        let token = "newcomer-token-of-neighbours"
        let start = ContinuousClock.now
        let newcomer = try place.bench.agent(
            at: place.bench.clientConfiguration("newcomer", to: port, tokens: [token]))
        try waitUntilOpen(Neighbourhood.entrance(of: token, at: place.server))
        place.record(start.duration(to: .now) / .milliseconds(1), "a newcomer's first answer after", "ms")
        newcomer.stop()
    }

    /// Requests for tokens that nobody has, on a connection for as long as the server keeps it.
    private static func ask(_ count: Int, _ port: Int, _ statuses: StatusCounter) throws {
        var caller = try RawStream(port: port, from: Attackers.address)
        defer { caller.close() }
        var pace = Pace(perSecond: 2500)
        for number in 0..<count {
            pace.wait()
            let entrance = Way.Entrance(
                port: port, fields: [(name: "X-Token", value: "asked-for-token-\(number)")])
            try caller.write(Transfer.head("GET", "/", entrance, length: nil))
            let head = try caller.readHead()
            _ = try caller.read(RawStream.contentLength(of: head) ?? 0)
            statuses.add("request", Int(head.first?.split(separator: " ").dropFirst().first ?? "") ?? 0)
            if head.contains(where: { $0.lowercased() == "connection: close" }) {
                caller.close()
                caller = try RawStream(port: port, from: Attackers.address)
            }
        }
    }
}
