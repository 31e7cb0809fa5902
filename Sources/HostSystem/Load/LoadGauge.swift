import Synchronization

/// The stage that is in force, for those whom it concerns: each asks when it matters, which costs a load.
package final class LoadGauge: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    package var stage: LoadStage {
        get { LoadStage(rawValue: value.load(ordering: .relaxed)) ?? .none }
        set { value.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// Whether callers keep no connections.
    package var keepsNoConnections: Bool {
        value.load(ordering: .relaxed) >= LoadStage.noKeptConnections.rawValue
    }

    /// Whether new requests to tunnels are refused.
    package var refusesRequests: Bool {
        value.load(ordering: .relaxed) >= LoadStage.noNewRequests.rawValue
    }
}
