internal import AgentStatus
internal import DequeModule
internal import Observability

/// What waits to be written, and where there is no file all that is kept: the latest of each kind.
struct HistoryShelf: Sendable {
    /// How many of each there are at most.
    struct Bounds: Sendable {
        var events = 2000
        var requests = 4000
        var minutes = 20_000
    }

    /// Tokens that have rows of their own in one minute; the others share one.
    private static let mostTokens = 2000
    static let otherTokens = "others"
    /// How long minutes are kept where there is no file, in milliseconds.
    private static let keptMinutes: Int64 = 3_600_000

    private let bounds: Bounds
    private(set) var events: Deque<HistoryEvent> = []
    private(set) var requests: Deque<HistoryRequest> = []
    private(set) var minutes: [MinuteKey: MinuteGain] = [:]
    /// What came and was not kept.
    private(set) var lost: UInt64 = 0
    private var lastID: Int64 = 0
    private var tokensOfMinute: (minute: Int64, names: Set<String>) = (0, [])

    init(_ bounds: Bounds = Bounds()) { self.bounds = bounds }

    var isEmpty: Bool { events.isEmpty && requests.isEmpty && minutes.isEmpty }

    mutating func lose(_ count: UInt64) { lost += count }

    // MARK: What comes

    mutating func add(_ event: AgentEvent) {
        lastID += 1
        events.append(HistoryEvent(id: lastID, event: event))
        dropOldest()
    }

    mutating func add(_ kept: RequestSampling.Kept) {
        lastID += 1
        requests.append(HistoryRequest(id: lastID, standsFor: kept.standsFor, request: kept.request))
        dropOldest()
    }

    mutating func add(_ gain: MinuteGain, to key: MinuteKey) {
        if minutes[key] == nil, minutes.count >= bounds.minutes {
            lost += 1
            return
        }
        minutes[key, default: MinuteGain()] += gain
    }

    /// Counts requests that are over.
    ///
    /// - Parameter knowsAll: whether all requests are told of; else those that went wrong alone.
    mutating func count(_ requests: [EndedRequest], knowsAll: Bool) {
        // Those of one token often come in a row, and are looked up once.
        var row: RequestRow?
        for request in requests {
            let failed: Int64 = request.isFailure ? 1 : 0
            if failed > 0 {
                add(
                    MinuteGain(failed: failed),
                    to: MinuteKey(at: request.at, server: request.record.serverName))
            }
            guard knowsAll, let hint = request.record.tokenHint, !request.isForNobody else { continue }
            if row?.takes(request) != true {
                if let row { add(row) }
                row = RequestRow(at: request.at, server: request.record.serverName, tokenHint: hint)
            }
            row?.gain += MinuteGain(
                requests: 1, failed: failed, requestBytes: Int64(request.record.requestBytes),
                responseBytes: Int64(request.record.responseBytes))
        }
        if let row { add(row) }
    }

    private mutating func add(_ row: RequestRow) {
        let name = name(of: row.tokenHint, at: row.at)
        add(row.gain, to: MinuteKey(at: row.at, server: row.server, tokenHint: name))
    }

    private mutating func name(of hint: String, at: Int64) -> String {
        let minute = at / 60_000
        if tokensOfMinute.minute != minute { tokensOfMinute = (minute, []) }
        if tokensOfMinute.names.contains(hint) { return hint }
        guard tokensOfMinute.names.count < Self.mostTokens else { return Self.otherTokens }
        tokensOfMinute.names.insert(hint)
        return hint
    }

    private mutating func dropOldest() {
        while events.count > bounds.events {
            events.removeFirst()
            lost += 1
        }
        while requests.count > bounds.requests {
            requests.removeFirst()
            lost += 1
        }
    }

    /// Where nothing is written: what is older than that goes by itself, and is not called lost.
    mutating func forget(now: Int64, mostRequests: Int) {
        if minutes.contains(where: { $0.key.at < now - Self.keptMinutes }) {
            minutes = minutes.filter { $0.key.at >= now - Self.keptMinutes }
        }
        if minutes.count > bounds.minutes / 2 {
            // A quarter at once: it takes looking at all of them.
            for key in minutes.keys.sorted(by: { $0.at < $1.at }).prefix(minutes.count - bounds.minutes / 4) {
                minutes[key] = nil
            }
        }
        if events.count > bounds.events / 2 { events.removeFirst(events.count - bounds.events / 2) }
        if requests.count > mostRequests { requests.removeFirst(requests.count - mostRequests) }
    }

    // MARK: What is written

    /// Takes some of it, to be written: the oldest.
    mutating func take(most: Int) -> HistoryShelf {
        var taken = HistoryShelf(bounds)
        taken.events = Deque(events.prefix(most))
        events.removeFirst(taken.events.count)
        taken.requests = Deque(requests.prefix(most - taken.events.count))
        requests.removeFirst(taken.requests.count)
        let room = most - taken.events.count - taken.requests.count
        guard minutes.count > room else {
            swap(&taken.minutes, &minutes)
            return taken
        }
        for key in minutes.keys.sorted(by: { $0.at < $1.at }).prefix(room) {
            taken.minutes[key] = minutes.removeValue(forKey: key)
        }
        return taken
    }

    /// Has back what could not be written: it is older than what came meanwhile.
    mutating func putBack(_ taken: HistoryShelf) {
        events = taken.events + events
        requests = taken.requests + requests
        for (key, gain) in taken.minutes { add(gain, to: key) }
        dropOldest()
    }
}

/// What requests of one token come to that were over in the same minute.
private struct RequestRow {
    let at: Int64
    let server: String
    let tokenHint: String
    var gain = MinuteGain()

    init(at: Int64, server: String, tokenHint: String) {
        (self.at, self.server, self.tokenHint) = (at, server, tokenHint)
    }

    func takes(_ request: EndedRequest) -> Bool {
        request.at / 60_000 == at / 60_000 && request.record.tokenHint == tokenHint
            && request.record.serverName == server
    }
}

extension EndedRequest {
    /// What a request says for which there was no tunnel may be anything.
    fileprivate var isForNobody: Bool {
        record.outcome == .answeredHere || record.outcome == .noTunnel && record.status == 404
    }
}
