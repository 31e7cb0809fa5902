import AgentStatus
import TunnelConfiguration

/// What was found out about the reload under way.
struct ReloadRecord: Sendable {
    private let began = ContinuousClock.now
    private(set) var errors: [String] = []
    private(set) var warnings: [String] = []

    mutating func add(_ report: ConfigurationReport) {
        errors += report.lines(.error)
        warnings += report.lines(.warning)
    }

    mutating func add(_ preparation: Preparation) {
        errors += preparation.faults
        warnings += preparation.warnings
    }

    var duration: Duration { .now - began }
}
