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
        // By their places: who asks may be anybody, and a configuration is large to copy.
        if tunnels.indices.contains(where: { tunnels[$0].isRequired == true }) {
            var (required, down) = (0, 0)
            for index in tunnels.indices
            where tunnels[index].isRequired == true && !isPaused(tunnels[index].name) {
                required += 1
                if !isUp(tunnels[index].name) { down += 1 }
            }
            return down == 0 ? nil : "\(down) of \(required) required tunnels down"
        }
        var isAnyCounting = false
        for index in tunnels.indices
        where tunnels[index].isRequired == nil && !isPaused(tunnels[index].name) {
            if isUp(tunnels[index].name) { return nil }
            isAnyCounting = true
        }
        return isAnyCounting ? "no tunnel is up" : nil
    }
}
