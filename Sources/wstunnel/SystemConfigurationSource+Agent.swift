import HostSystem
import TransportSecurity

extension SystemConfigurationSource {
    /// The machine, and what the TLS library knows of keys.
    static func ofAgent(commands: RunningCommands = RunningCommands()) -> SystemConfigurationSource {
        SystemConfigurationSource(commands: commands) { KeyPairCheck.fault(of: $0) }
    }
}
