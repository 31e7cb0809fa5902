import HostSystem
import NIOCore
package import TunnelConfiguration

extension AgentConfiguration {
    /// The same with what an agent on this machine puts in where the configuration says nothing.
    ///
    /// - Parameter path: the configuration file's, as the agent is given it.
    package func effective(readFrom path: String) -> AgentConfiguration {
        var effective = self
        effective.controlSocket =
            controlSocket ?? ControlSocketPath.default(forConfiguration: path, .ofProcess()).path
        for index in tunnels.indices {
            effective.tunnels[index].connections = tunnels[index].connections(cores: System.coreCount)
        }
        return effective
    }
}
