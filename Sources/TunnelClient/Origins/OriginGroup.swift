import AgentStatus
import Glibc
import HTTPMessage
import HostSystem
import Logging
import NIOCore
import Observability
import OriginHTTP
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// The origins of a tunnel that are looked after: several of them, or one whose health is checked. `OriginHealth` decides; a
/// request that could not be brought to one goes to the next (`FailoverExchange`).
final class OriginGroup: Sendable {
    struct Member: Sendable {
        /// As it is written in the configuration.
        let name: String
        let origin: HTTPOrigin
        let rewriting: OriginRequest
        /// The same server for checks: each has a connection of its own.
        let probe: HTTPOrigin
    }

    /// What a request that was prepared for an origin needs.
    struct Attempt {
        let index: Int
        let request: RequestHead
        let prepared: OriginRequest.Prepared
    }

    private struct State {
        var health: OriginHealth
        /// In seconds since 1970, of those that are down.
        var downSince: [Int: Int] = [:]
        var isRetired = false
        /// The next checks; nil before there were any.
        var checks: [Int: Scheduled<Void>]?
    }

    /// Connections of one event loop, the current one, without those of checks.
    func connections(on eventLoop: any EventLoop) -> OriginConnections {
        var all = OriginConnections()
        for member in members { all += member.origin.connections(on: eventLoop) }
        return all
    }

    let members: [Member]
    private let check: HealthCheck?
    private let logger: Logger
    private let state: Mutex<State>

    /// - Parameter previous: what was known of the same origins is known of them here.
    init(
        _ members: [Member], balance: TunnelClientConfiguration.Balance, check: HealthCheck?, logger: Logger,
        previous: OriginGroup?
    ) {
        self.members = members
        self.check = check
        self.logger = logger
        var state = State(health: OriginHealth(count: members.count, balance: balance, check: check))
        if let previous {
            let known = previous.state.withLock { ($0.health, $0.downSince) }
            for (index, member) in members.enumerated() {
                guard let old = previous.members.firstIndex(where: { $0.name == member.name }) else {
                    continue
                }
                state.health.inherit(index, from: known.0, old)
                if state.health.reason(of: index) != nil { state.downSince[index] = known.1[old] }
            }
        }
        self.state = Mutex(state)
    }

    /// What there is to tell of each.
    var snapshots: [OriginSnapshot] {
        state.withLock { state in
            members.enumerated().map { index, member in
                let reason = state.health.reason(of: index)
                return OriginSnapshot(
                    name: member.name, isUp: reason == nil, reason: reason, since: state.downSince[index])
            }
        }
    }

    // MARK: Requests

    /// The origin that a request goes to, and how it is written for that one.
    ///
    /// - Parameters:
    ///   - entrance: how it came to the tunnel.
    ///   - tried: those to which it could not be brought.
    /// - Returns: nil when there is none.
    func attempt(
        _ request: RequestHead, from entrance: TunnelEntrance, besides tried: OriginHealth.Tried = .init()
    ) throws(OriginRefusal) -> Attempt? {
        let choice = state.withLock { $0.health.choose(besides: tried, now: .now) }
        guard case .origin(let index) = choice else { return nil }
        var request = request
        let prepared = try members[index].rewriting.prepare(&request, from: entrance)
        return Attempt(index: index, request: request, prepared: prepared)
    }

    /// Why no request goes anywhere.
    var refusal: OriginRefusal {
        let reasons = snapshots.compactMap { origin in
            origin.reason.map { members.count == 1 ? $0 : "\(origin.name): \($0)" }
        }
        let words = members.count == 1 ? "The origin is down" : "All origins are down"
        return OriginRefusal(
            status: 503, words: "\(words) (\(reasons.prefix(3).joined(separator: "; ")))")
    }

    /// A request was brought to an origin.
    func connected(to index: Int) { change { $0.connected(to: index) } }

    /// None could be.
    func cannotConnect(to index: Int, _ error: OriginError) {
        change { $0.cannotConnect(to: index, reason: error.message, now: .now) }
    }

    private func change(_ event: (inout OriginHealth) -> OriginHealth.Change?) {
        let change = state.withLock { state -> OriginHealth.Change? in
            let change = event(&state.health)
            switch change {
            case .wentDown(let index, _): state.downSince[index] = time(nil)
            case .cameUp(let index): state.downSince[index] = nil
            case nil: break
            }
            return change
        }
        switch change {
        case .wentDown(let index, let reason):
            logger.tell(
                .originDown, .warning, "Origin is down",
                metadata: [.originAddress: "\(members[index].name)", .errorMessage: "\(reason)"])
        case .cameUp(let index):
            logger.tell(
                .originUp, .notice, "Origin is up again",
                metadata: [.originAddress: "\(members[index].name)"])
        case nil: break
        }
    }

    // MARK: Checks

    /// Begins to check, unless it does so already.
    func startChecks(on loops: [any EventLoop]) {
        guard check != nil else { return }
        let isFirst = state.withLock { state in
            guard state.checks == nil, !state.isRetired else { return false }
            state.checks = [:]
            return true
        }
        guard isFirst else { return }
        for index in members.indices { scheduleCheck(index, on: loops[index % loops.count], in: .zero) }
    }

    private func scheduleCheck(_ index: Int, on eventLoop: any EventLoop, in delay: TimeAmount) {
        let next = eventLoop.scheduleTask(in: delay) { [weak self] in
            self?.runCheck(index, on: eventLoop)
            return
        }
        let isKept = state.withLock { state in
            guard !state.isRetired else { return false }
            state.checks?[index] = next
            return true
        }
        if !isKept { next.cancel() }
    }

    private func runCheck(_ index: Int, on eventLoop: any EventLoop) {
        guard let check else { return }
        scheduleCheck(index, on: eventLoop, in: TimeAmount(check.interval))
        OriginCheck(check, members[index], on: eventLoop) { [weak self] failure in
            if let failure {
                self?.change { $0.failed(index, reason: failure) }
            } else {
                self?.change { $0.passed(index) }
            }
        }.start()
    }

    /// As an `Origin` does; and there are no more checks.
    func retire() {
        let checks = state.withLock { state in
            state.isRetired = true
            return state.checks.take() ?? [:]
        }
        for check in checks.values { check.cancel() }
        for member in members {
            member.origin.retire()
            member.probe.retire()
        }
    }
}
