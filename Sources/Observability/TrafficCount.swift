package import AgentStatus
internal import Synchronization

/// Counts what a server or a tunnel carries, on any thread.
package final class TrafficCount: Sendable {
    private let requests = Atomic<UInt64>(0)
    private let requestBytes = Atomic<UInt64>(0)
    private let responseBytes = Atomic<UInt64>(0)

    package init() {}

    package func requestBegan() { requests.add(1, ordering: .relaxed) }
    package func requestBody(_ bytes: Int) { requestBytes.add(UInt64(bytes), ordering: .relaxed) }
    package func responseBody(_ bytes: Int) { responseBytes.add(UInt64(bytes), ordering: .relaxed) }

    package var snapshot: TrafficSnapshot {
        TrafficSnapshot(
            requests: requests.load(ordering: .relaxed), requestBytes: requestBytes.load(ordering: .relaxed),
            responseBytes: responseBytes.load(ordering: .relaxed))
    }
}
