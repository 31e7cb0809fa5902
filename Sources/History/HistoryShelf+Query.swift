internal import AgentStatus

/// The same questions, where there is no file.
extension HistoryShelf {
    func page(_ query: HistoryQuery) -> HistoryPage {
        var page = HistoryPage(source: .memory)
        switch query.subject {
        case .events:
            let found = events.reversed().lazy.filter { entry in
                let event = entry.event
                return query.takes(
                    at: event.at, server: event.server, tunnels: [event.tunnel, event.tokenHint],
                    id: entry.id,
                    isError: event.kind.isError) && (query.kind ?? event.kind.rawValue) == event.kind.rawValue
            }
            (page.events, page.next) = Self.cut(found, query, \.id)
        case .requests:
            let found = requests.reversed().lazy.filter { entry in
                let request = entry.request
                return query.takes(
                    at: request.at, server: request.server, tunnels: [request.tokenHint], id: entry.id,
                    isError: request.isFailure)
                    && query.status.map { range in request.status.map(range.contains) ?? false } ?? true
            }
            (page.requests, page.next) = Self.cut(found, query, \.id)
        case .minutes:
            let found = numberedMinutes.reversed().lazy.filter { minute in
                query.takes(
                    at: minute.at, server: minute.server, tunnels: [minute.tunnel, minute.tokenHint],
                    id: minute.id, isError: minute.failed > 0)
            }
            (page.minutes, page.next) = Self.cut(found, query, \.id)
        }
        return page
    }

    /// In the order of time; their numbers hold for as long as nothing is added.
    private var numberedMinutes: [HistoryMinute] {
        let keys = minutes.keys.sorted { one, other in
            (one.at, one.server ?? "", one.tunnel ?? "", one.tokenHint ?? "")
                < (other.at, other.server ?? "", other.tunnel ?? "", other.tokenHint ?? "")
        }
        return keys.enumerated().map { index, key in
            let gain = minutes[key] ?? MinuteGain()
            return HistoryMinute(
                id: Int64(index + 1), at: key.at, server: key.server, tunnel: key.tunnel,
                tokenHint: key.tokenHint, requests: gain.requests, failed: gain.failed,
                requestBytes: gain.requestBytes, responseBytes: gain.responseBytes)
        }
    }

    private static func cut<Rows: Sequence>(
        _ rows: Rows, _ query: HistoryQuery, _ id: KeyPath<Rows.Element, Int64>
    ) -> ([Rows.Element], Int64?) {
        let limit = min(max(1, query.limit), HistoryQuery.mostRows)
        let found = Array(rows.prefix(limit))
        return (found, found.count == limit ? found.last?[keyPath: id] : nil)
    }
}

extension HistoryQuery {
    fileprivate func takes(
        at: Int64, server: String?, tunnels: [String?], id: Int64, isError: Bool
    ) -> Bool {
        guard before.map({ id < $0 }) ?? true, !errorsOnly || isError else { return false }
        guard since.map({ at >= $0 }) ?? true, until.map({ at <= $0 }) ?? true else { return false }
        guard self.server == nil || self.server == server else { return false }
        return tunnel.map { tunnels.contains($0) } ?? true
    }
}
