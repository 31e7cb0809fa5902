import HostSystem
import NIOPosix
import Observability
import TransportSecurity
import TunnelClient
import TunnelServer
import TunnelTransport

/// What all servers and tunnels of an agent are made with.
struct AgentMeans: Sendable {
    let group: MultiThreadedEventLoopGroup
    let log: AgentLog
    let budget: ProcessReceiveBudget
    let trust: TrustPool
    let identities = ServerTLSPool()
    /// Whether the machine has certificates of authorities; waits for disks.
    let hasSystemRoots: @Sendable () -> Bool
    let pacer: DialPacer
    let usage = UsageLedger()
    /// Tokens that no server serves for now.
    let blocked = BlockedTokens()
    /// How far it goes to take less.
    let gauge = LoadGauge()
    /// Program and version, as peers are told.
    let software: String
    /// Listening sockets that the process was started with, by name.
    let inherited: [String: ListeningSocket]
    /// The file that the agent runs by; nil when it was started by flags.
    let configurationFile: String?
    /// Whether the start takes the place of an agent that runs by the same file.
    let takesOver: Bool
    /// Where configurations are read and prepared.
    let reloads: Blocking
    /// Where it is looked at how much is left, which must wait for nothing else.
    let looks = Blocking()
    /// Where plans are made that somebody wants to see.
    let plans = Blocking()
    /// Where requests are explained: passwords take long.
    let explanations = Blocking()

    /// Where the control socket is when the configuration does not say.
    var automaticControlSocket: ControlSocketPath? {
        configurationFile.map { .default(forConfiguration: $0, .ofProcess()) }
    }
}
