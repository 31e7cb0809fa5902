/// What `wstunnel top` knows and shows: changed by snapshots and keys, drawn by `TopScreen`.
package struct TopState: Sendable {
    /// What a key asks of the program.
    package enum Effect: Sendable, Hashable {
        case quit
        /// Stop as Ctrl-Z does.
        case suspend
    }

    enum Order: Character, CaseIterable, Sendable {
        case name = "n"
        case state = "s"
        case requests = "r"
        case bytes = "b"
        case inFlight = "f"
    }

    enum Mode: Sendable, Equatable {
        case table
        /// What is typed goes into the filter.
        case filtering
        case details(TopRow.ID)
    }

    /// Longest filter, in characters.
    private static let longestFilter = 64

    private(set) var snapshot: AgentSnapshot?
    /// In the order in which they are shown, those that the filter leaves out too.
    private var all: [TopRow] = []
    private(set) var rows: [TopRow] = []
    private(set) var order = Order.name
    private(set) var filter = ""
    private(set) var mode = Mode.table
    private(set) var isPaused = false
    /// Why nothing new is known.
    private(set) var fault: String?
    private(set) var events: [AgentEvent] = []
    /// The row that Enter opens.
    private(set) var selected = 0
    /// The first that is shown.
    private(set) var first = 0
    /// Rows that fit, as they were last drawn.
    private var page = 20
    private var counts: (values: [TopRow.ID: TopRow.Counts], at: Int64)?

    package init() {}

    /// Whether the events of the agent are shown.
    package var showsEvents: Bool {
        if case .details = mode { return true }
        return false
    }

    /// Whether nothing is known yet.
    package var isNew: Bool { snapshot == nil }

    /// - Parameter at: of a clock that only goes forward, in milliseconds.
    package mutating func take(_ snapshot: AgentSnapshot, at: Int64) {
        fault = nil
        guard !isPaused else { return }
        var rows = snapshot.topRows
        if let counts, self.snapshot?.processID == snapshot.processID {
            for index in rows.indices {
                guard let before = counts.values[rows[index].id] else { continue }
                let rates = rows[index].counts.rates(since: before, at - counts.at)
                rows[index].requestRate = rates.requests ?? rows[index].requestRate
                rows[index].byteRate = rates.bytes
            }
        }
        counts = (Dictionary(rows.map { ($0.id, $0.counts) }) { $1 }, at)
        self.snapshot = snapshot
        all = rows
        arrange()
    }

    /// Nothing was learnt.
    ///
    /// - Parameter words: why.
    package mutating func fail(_ words: String) { fault = words }

    /// The latest of what happened, the oldest first.
    package mutating func take(_ events: [AgentEvent]) {
        if !isPaused { self.events = events }
    }

    package mutating func press(_ key: TopKey) -> Effect? {
        switch (key, mode) {
        case (.interrupt, _): return .quit
        case (.suspend, _): return .suspend
        case (_, .filtering): type(key)
        case (.character("q"), _): return .quit
        case (.character("p"), _): isPaused.toggle()
        case (.escape, .details), (.backspace, .details), (.enter, .details): mode = .table
        case (_, .details): break
        case (.escape, .table): setFilter("")
        case (.character("/"), .table): mode = .filtering
        case (.enter, .table): if rows.indices.contains(selected) { mode = .details(rows[selected].id) }
        case (.character(let letter), .table):
            if let order = Order(rawValue: letter) {
                self.order = order
                arrange()
            } else if letter == "j" || letter == "k" {
                move(by: letter == "j" ? 1 : -1)
            }
        case (_, .table): scroll(key)
        }
        return nil
    }

    /// Says how many rows there is room for.
    mutating func makeRoom(for rows: Int) {
        page = max(1, rows)
        move(by: 0)
    }

    private mutating func type(_ key: TopKey) {
        switch key {
        case .enter: mode = .table
        case .escape:
            mode = .table
            setFilter("")
        case .backspace: setFilter(String(filter.dropLast()))
        case .character(let letter):
            if filter.count < Self.longestFilter { setFilter(filter + String(letter)) }
        default: scroll(key)
        }
    }

    private mutating func scroll(_ key: TopKey) {
        switch key {
        case .up: move(by: -1)
        case .down: move(by: 1)
        case .pageUp: move(by: -page)
        case .pageDown: move(by: page)
        case .home: move(by: -rows.count)
        case .end: move(by: rows.count)
        default: break
        }
    }

    private mutating func move(by step: Int) {
        selected = max(0, min(selected + step, rows.count - 1))
        first = max(0, min(first, rows.count - page))
        if selected < first { first = selected }
        if selected >= first + page { first = selected - page + 1 }
    }

    private mutating func setFilter(_ text: String) {
        filter = text
        (selected, first) = (0, 0)
        arrange()
    }

    private mutating func arrange() {
        let chosen = rows.indices.contains(selected) ? rows[selected].id : nil
        let wanted = filter.lowercased()
        rows = all.filter { row in
            wanted.isEmpty || [row.name, row.state, row.place].contains { $0.lowercased().contains(wanted) }
        }
        rows.sort(by: precedes)
        if selected > 0, let chosen, let place = rows.firstIndex(where: { $0.id == chosen }) {
            selected = place
        }
        move(by: 0)
    }

    private func precedes(_ one: TopRow, _ other: TopRow) -> Bool {
        let (left, right): (Double, Double) =
            switch order {
            case .name: (0, 0)
            case .state: (one.unrest, other.unrest)
            case .requests: (one.requestRate ?? -1, other.requestRate ?? -1)
            case .bytes: (one.byteRate ?? -1, other.byteRate ?? -1)
            case .inFlight: (Double(one.inFlight ?? -1), Double(other.inFlight ?? -1))
            }
        if left != right { return left > right }
        return (one.id.kind.rawValue, one.name, one.id.server, one.id.tag)
            < (other.id.kind.rawValue, other.name, other.id.server, other.id.tag)
    }
}

extension TopRow {
    fileprivate var unrest: Double { isDown ? 2 : isUneasy ? 1 : 0 }
}
