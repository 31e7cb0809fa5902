package import TunnelConfiguration

/// Which tunnels have to be up where an agent is to be ready.
package enum TunnelReadiness {
    /// Why the tunnels keep the agent from being ready, or nil. Names none of them.
    ///
    /// Where any is `required`, all of those have to be up; else one of those that do not say whether they are. Paused ones
    /// do not count.
    package static func fault(
        _ tunnels: [TunnelClientConfiguration], isPaused: (String) -> Bool, isUp: (String) -> Bool
    ) -> String? {
        let counting = tunnels.filter { !isPaused($0.name) }
        guard tunnels.contains(where: { $0.isRequired == true }) else {
            let any = counting.lazy.filter { $0.isRequired == nil }
            return any.isEmpty || any.contains { isUp($0.name) } ? nil : "no tunnel is up"
        }
        let required = counting.filter { $0.isRequired == true }
        let down = required.count { !isUp($0.name) }
        return down == 0 ? nil : "\(down) of \(required.count) required tunnels down"
    }
}
