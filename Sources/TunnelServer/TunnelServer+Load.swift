import HTTPServing
import HostSystem
import NIOCore
import TunnelTransport

extension TunnelServer {
    /// Closes the connections of callers that only wait for their next request, a few at a time.
    package func shed() {
        for (loop, callers) in grouped(core.connections.callers, by: \.eventLoop) {
            loop.inSlices(callers) { $0.connection.value.shed() }
        }
    }

    /// Has sessions without a request give back what they keep for the next, a few at a time.
    package func giveBackMemory() {
        let sessions = core.connections.sessions.values.map(\.reference)
        for (loop, sessions) in grouped(sessions, by: \.eventLoop) {
            loop.inSlices(sessions) { $0.perform { $0.giveBackMemory() } }
        }
    }

    private func grouped<Item>(
        _ items: [Item], by loop: (Item) -> any EventLoop
    ) -> [(any EventLoop, [Item])] {
        Dictionary(grouping: items) { ObjectIdentifier(loop($0)) }.values.compactMap { items in
            items.first.map { (loop($0), items) }
        }
    }
}
