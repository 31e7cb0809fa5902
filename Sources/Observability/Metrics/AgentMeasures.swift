package import AgentStatus

/// What an agent and its process have counted, at one moment, beside its servers and tunnels.
package struct AgentMeasures: Sendable {
    /// A limit and how much of it is used, in the same unit.
    package struct Load: Sendable {
        package let resource: String
        package let used: Int
        package let limit: Int

        package init(resource: String, used: Int, limit: Int) {
            self.resource = resource
            self.used = used
            self.limit = limit
        }
    }

    /// When certificates of a listener end.
    package struct Certificate: Sendable {
        /// Nil for the admin listener.
        package let server: String?
        package let use: String
        /// Seconds since 1970, of the first that ends.
        package let expiry: Int

        package init(server: String?, use: String, expiry: Int) {
            self.server = server
            self.use = use
            self.expiry = expiry
        }
    }

    /// An event loop.
    package struct Loop: Sendable {
        /// Processor time, in microseconds; nil where the system does not tell.
        package let cpu: Int64?
        /// Until it got to what it was handed, in microseconds; nil where it did not within the time that a scrape has.
        package let delay: Int64?

        package init(cpu: Int64?, delay: Int64?) {
            self.cpu = cpu
            self.delay = delay
        }
    }

    /// Of the process; nil where the system does not tell.
    package struct Process: Sendable {
        package var residentBytes: Int?
        package var openFiles: Int?
        package var mostFiles: Int?
        /// In microseconds.
        package var cpu: Int64?
        /// In milliseconds since 1970.
        package var startedAt: Int64?

        package init() {}
    }

    /// Of the program.
    package var version: String
    package var phase: AgentSnapshot.Phase
    package var generation: Int
    package var reloads: [ReloadSnapshot.Outcome: UInt64] = [:]
    package var lastReload: ReloadSnapshot?
    package var loadStage = 0
    package var loads: [Load] = []
    package var receiveBufferUsed = 0
    package var receiveBufferLimit = 0
    package var spilledBytes = 0
    /// By where they go.
    package var linesDropped: [(sink: String, count: UInt64)] = []
    package var paused: [PauseSnapshot] = []
    package var blockedTokens = 0
    package var webhooks: [WebhookSnapshot] = []
    /// Nil where no request is traced.
    package var tracing: TracingSnapshot?
    package var history = HistorySnapshot()
    package var loops: [Loop] = []
    package var process = Process()
    package var certificates: [Certificate] = []
    /// Servers whose listener broke.
    package var notListening: Set<String> = []
    /// By server.
    package var exemplars: [String: RequestExemplars] = [:]

    package init(version: String, phase: AgentSnapshot.Phase, generation: Int) {
        self.version = version
        self.phase = phase
        self.generation = generation
    }
}
