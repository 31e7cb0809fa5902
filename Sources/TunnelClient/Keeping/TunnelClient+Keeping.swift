import Logging
import Observability
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// Which connections it keeps, from its start to its end.
extension TunnelClient {
    /// Those who keep a connection each.
    struct Keepers {
        /// The connections that it has in any case, and those that it has where the server can tell that they are one client's.
        var certain = 0, most = 0
        var running: [ConnectionKeeper] = []
        /// Whether the server was last found to be one that can tell.
        var isMuxFound = false
        /// Whether nothing new is to begin.
        var isStopped = false
        var end = RunEnd.stopped
        var whenEnded: (@Sendable (RunEnd) -> Void)?

        /// Makes the keepers of connections that have none.
        mutating func add(_ slots: Range<Int>, of client: TunnelClient) -> [ConnectionKeeper] {
            let new = slots.filter { slot in !running.contains { $0.slot == slot } }
                .map { ConnectionKeeper($0, of: client) }
            running += new
            return new
        }
    }

    /// Keeps the sessions up until it is stopped or retired, or the tunnel gives up; then finishes what is in flight. Once.
    ///
    /// - Parameter whenEnded: called when none is left, on any thread.
    package func start(whenEnded: @escaping @Sendable (RunEnd) -> Void) {
        setup.directory.start(on: loops)
        setup.statusFile?.tryOut()
        let most = setup.part { $0.configuration.connections(cores: loops.count) }
        tellOfTheWayOut(most)
        let certain = setup.part { $0.configuration.connections } ?? 1
        let (new, isOver) = keepers.withLock { keepers in
            keepers.whenEnded = whenEnded
            (keepers.certain, keepers.most) = (certain, most)
            let new = keepers.isStopped ? [] : keepers.add(0..<certain, of: self)
            return (new, new.isEmpty)
        }
        for keeper in new { keeper.begin() }
        if isOver { finish(.stopped) }
    }

    /// As `start`, until the task is cancelled.
    package func run() async -> RunEnd {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in start { continuation.resume(returning: $0) } }
        } onCancel: {
            stop()
        }
    }

    /// Has its sessions finish what is in flight, and dials nothing any more.
    package func stop() {
        state.withLock { $0.isLeaving = true }
        for keeper in stopKeepers() { keeper.stop() }
    }

    /// Those who keep connections now.
    var runningKeepers: [ConnectionKeeper] { keepers.withLock { $0.running } }

    private func stopKeepers() -> [ConnectionKeeper] {
        keepers.withLock { keepers in
            keepers.isStopped = true
            return keepers.running
        }
    }

    /// Whether nobody said how many connections: a server of protocol v1 counts each of them as a client, and gets one.
    var choosesConnections: Bool { setup.part { $0.configuration.connections == nil } }

    /// What a connection's session speaks: where it is protocol v2, there may be more of them.
    func found(_ version: ProtocolVersion, by keeper: ConnectionKeeper) {
        let new = keepers.withLock { keepers -> [ConnectionKeeper] in
            if version == .v1 { keepers.isMuxFound = false }
            guard version == .v2, keeper.slot < keepers.certain else { return [] }
            keepers.isMuxFound = true
            guard !keepers.isStopped, !isRetired else { return [] }
            return keepers.add(keepers.certain..<keepers.most, of: self)
        }
        for keeper in new { keeper.begin() }
    }

    /// A connection is kept no more.
    func keeperEnded(_ keeper: ConnectionKeeper, _ end: RunEnd) {
        if end == .gaveUp {
            for other in stopKeepers() where other !== keeper { other.stop() }
        }
        let (new, last) = keepers.withLock { keepers -> ([ConnectionKeeper], RunEnd?) in
            keepers.running.removeAll { $0 === keeper }
            if end == .gaveUp { keepers.end = end }
            // It met a server of protocol v1, and one of v2 was found before its session had ended.
            let isWanted = keepers.isMuxFound && keeper.slot >= keepers.certain
            let new =
                isWanted && !keepers.isStopped && !isRetired
                ? keepers.add(keeper.slot..<keeper.slot + 1, of: self) : []
            return (new, keepers.running.isEmpty ? keepers.end : nil)
        }
        for keeper in new { keeper.begin() }
        if let last { finish(last) }
    }

    private func finish(_ end: RunEnd) {
        // Connections that wait for a request would stay for a while, with all that they hold.
        setup.directory.retire()
        ended(end)
        keepers.withLock { $0.whenEnded.take() }?(end)
    }

    private func tellOfTheWayOut(_ connections: Int) {
        let target = target(0)
        if let proxy = target.proxy {
            logger.info("Dialling through a proxy", metadata: [.proxyAddress: "\(proxy.name)"])
        }
        if let ports = target.clientPorts, ports.count < connections {
            logger.warning(
                "Fewer client-ports than connections: some will not come up; name more ports, or set connections",
                metadata: [
                    .portCount: .stringConvertible(ports.count), .limit: .stringConvertible(connections),
                ])
        }
    }
}
