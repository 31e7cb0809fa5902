import AdminAPI
import AgentStatus
import FoundationEssentials
import HostSystem
import Synchronization

/// Asks the agent for its status again and again, on a thread of its own: so keys are heard while an agent is slow.
final class StatusPoller: Sendable {
    /// What was learnt.
    struct Report: Sendable {
        var status: Result<AgentSnapshot, AgentFault>
        /// The latest of what happened; nil where nobody asked for it.
        var events: [AgentEvent]?
        /// When, by a clock that only goes forward, in milliseconds.
        var at: Int64
    }

    private struct State: Sendable {
        var report: Report?
        var wantsEvents = false
        var isOver = false
    }

    /// Events that are kept of what the agent tells.
    private static let mostEvents = 1000

    /// Wakes who waits for a report.
    let arrival: WakeUp
    private let poke: WakeUp
    private let agent: AgentPlace
    private let interval: Duration
    private let state = Mutex(State())

    /// - Throws: when the process is short of descriptors.
    init(_ agent: AgentPlace, every interval: Duration) throws {
        self.agent = agent
        self.interval = interval
        arrival = try WakeUp()
        poke = try WakeUp()
    }

    deinit {
        arrival.close()
        poke.close()
    }

    /// - Returns: false when the process is short of threads.
    func start() -> Bool { SignalFreeThread { self.run() }.start() }

    func stop() {
        state.withLock { $0.isOver = true }
        poke.signal()
    }

    /// What came since it was last asked.
    func take() -> Report? {
        arrival.wait(atMost: .zero)
        return state.withLock { state in
            defer { state.report = nil }
            return state.report
        }
    }

    /// Asks for events from now on, or no more; when that is new, at once.
    func want(events: Bool) {
        let isNew = state.withLock { state in
            defer { state.wantsEvents = events }
            return events && !state.wantsEvents
        }
        if isNew { poke.signal() }
    }

    private func run() {
        while true {
            let (isOver, wantsEvents) = state.withLock { ($0.isOver, $0.wantsEvents) }
            if isOver { return }
            let report = Report(
                status: Result { () throws(AgentFault) in try ask() },
                events: wantsEvents ? events() : nil, at: Self.now)
            state.withLock { $0.report = report }
            arrival.signal()
            poke.wait(atMost: interval)
        }
    }

    private func ask() throws(AgentFault) -> AgentSnapshot {
        try agent.attempt { client throws(AdminClientError) in try client.status() }
    }

    private func events() -> [AgentEvent]? {
        var events: [AgentEvent] = []
        let end = try? agent.attempt { client throws(AdminClientError) in
            try client.follow("/api/events?follow=no", after: "0") { event in
                if let value = try? JSONDecoder().decode(AgentEvent.self, from: Data(event.data.utf8)) {
                    events.append(value)
                }
                return true
            }
        }
        return end == nil ? nil : Array(events.suffix(Self.mostEvents))
    }

    static var now: Int64 {
        Int64((ContinuousClock.now - Self.beginning) / .milliseconds(1))
    }

    private static let beginning = ContinuousClock.now
}
