import HostSystem
import NIOCore

/// The connections of an admin server: few at once, each told when the server stops.
final class AdminDoor: Sendable {
    private struct Connection: Sendable {
        /// Whether it comes from this machine.
        let isOwn: Bool
        let stop: @Sendable () -> Void
    }

    private struct State: Sendable {
        var inside: [ObjectIdentifier: Connection] = [:]
        var isClosed = false
    }

    private let state = Monitor(State())

    /// - Parameters:
    ///   - isOwn: whether it comes from this machine.
    ///   - stop: tells it to end behind its next answer, or now where it has nothing to do.
    /// - Returns: false when there are too many.
    func enter(_ id: ObjectIdentifier, isOwn: Bool, stop: @escaping @Sendable () -> Void) -> Bool {
        state.change { state in
            let others = state.inside.values.count { !$0.isOwn }
            guard state.inside.count < AdminServer.mostConnections,
                isOwn || others < AdminServer.mostOfOthers
            else { return false }
            state.inside[id] = Connection(isOwn: isOwn, stop: stop)
            return true
        }
    }

    func leave(_ id: ObjectIdentifier) { state.change { _ = $0.inside.removeValue(forKey: id) } }

    /// Who is in leaves as soon as it may.
    func close() {
        let told = state.change { state in
            state.isClosed = true
            return Array(state.inside.values)
        }
        for connection in told { connection.stop() }
    }

    /// Each leaves as soon as it may, and may come again.
    func tellAll() {
        for connection in state.read({ Array($0.inside.values) }) { connection.stop() }
    }

    var isClosed: Bool { state.read { $0.isClosed } }

    /// Waits until all have left, or for so long.
    func becomesEmpty(within limit: TimeAmount, on eventLoop: any EventLoop) async {
        var timer: Scheduled<Void>?
        let look: @Sendable (State) -> Void? = { $0.inside.isEmpty ? () : nil }
        await state.wait(for: look) { giveUp in timer = eventLoop.scheduleTask(in: limit) { giveUp() } }
        timer?.cancel()
    }
}
