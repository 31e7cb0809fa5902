import AgentStatus
import Logging
import Observability
import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// Which addresses a server has shut out. What it knows outlives a change of the configuration.
final class Bans: Sendable {
    private let list = Mutex(BanList())
    /// Whether any ban may be in force: all that is asked while there is none.
    private let areAny = Atomic<Bool>(false)
    private let logger: Logger
    private let total = Atomic<UInt64>(0)

    init(logger: Logger) { self.logger = logger }

    /// Somebody was wrong about a secret.
    ///
    /// - Parameters:
    ///   - guess: what with.
    ///   - address: who it was: that connected, or that a trusted proxy names.
    func failed(_ guess: String, from address: String, _ settings: ServerSettings) {
        let rules = settings.bans
        guard rules.isEnabled, !settings.isNeverBanned(address) else { return }
        let group = AddressGroup(address)
        guard group != .unknown else { return }
        let ban = list.withLock { list in
            let ban = list.failed(group, guess: guess, rules, now: .now)
            if ban != nil { areAny.store(true, ordering: .releasing) }
            return ban
        }
        guard let ban else { return }
        total.add(1, ordering: .relaxed)
        // A line that other programs read: see config/LOGS.md.
        logger.warning(
            "Address banned",
            metadata: [
                .peerAddress: "\(address)", .banSeconds: .stringConvertible(ban.left.components.seconds),
                .times: .stringConvertible(ban.count),
            ])
    }

    /// How long an address is still shut out; nil where it is not.
    func timeLeft(of address: String) -> Duration? {
        guard areAny.load(ordering: .acquiring) else { return nil }
        return list.withLock { $0.timeLeft(of: AddressGroup(address), now: .now) }
    }

    /// What another list had in force is so here.
    func restore(_ bans: [BanSnapshot]) {
        guard !bans.isEmpty else { return }
        list.withLock { list in
            for ban in bans {
                list.restore(
                    BanList.Ban(
                        address: AddressGroup(String(ban.address.prefix { $0 != "/" })),
                        left: .seconds(ban.secondsLeft), count: ban.count),
                    now: .now)
            }
            areAny.store(true, ordering: .releasing)
        }
    }

    /// How many there were since the start.
    var count: UInt64 { total.load(ordering: .relaxed) }

    /// All that are in force.
    var all: [BanList.Ban] { list.withLock { $0.bans(now: .now) } }

    /// Lets an address in again, or everybody.
    ///
    /// - Returns: how many bans end by it.
    func lift(_ address: AddressGroup?) -> Int {
        list.withLock { list in
            defer { areAny.store(!list.bans(now: .now).isEmpty, ordering: .releasing) }
            return list.lift(address, now: .now)
        }
    }
}

extension ServerCore {
    /// Somebody was wrong about a secret that is not the password of a tunnel client, such as a caller's own password. Who
    /// goes on doing so is banned.
    ///
    /// - Parameters:
    ///   - guess: what with: the same again does not count. It is not kept.
    ///   - address: who it was: that connected, or that a trusted proxy names.
    func failed(_ guess: String, from address: String) { bans.failed(guess, from: address, settings) }
}
