import AgentStatus
import HostSystem
import TransportSecurity
import TunnelConfiguration

/// What can be told of a tunnel server on its machine: its port and its certificates.
struct ServerExamination {
    private let server: ServerConfiguration
    private let running: ServerSnapshot?
    private let now: Int

    /// - Parameters:
    ///   - running: the server as the agent has it; nil where none runs.
    ///   - now: seconds since 1970.
    init(_ server: ServerConfiguration, _ running: ServerSnapshot?, now: Int) {
        self.server = server
        self.running = running
        self.now = now
    }

    func findings() -> [DoctorReport.Finding] { [port] + certificates }

    private func finding(
        _ step: String, _ verdict: DoctorReport.Verdict, _ words: String, advice: String? = nil
    ) -> DoctorReport.Finding {
        DoctorReport.Finding("server \(server.name)", step, verdict, words, advice: advice)
    }

    private var port: DoctorReport.Finding {
        if let running {
            let words = "\(running.state.rawValue) at \(running.address)"
            switch running.state {
            case .listening: return finding("port", .ok, "listens at \(running.address)")
            case .paused:
                return finding(
                    "port", .warning, words, advice: "wstunnel resume --server \(server.name) has it go on")
            case .draining: return finding("port", .warning, words)
            case .failed: return finding("port", .failed, words)
            }
        }
        do throws(ListenError) {
            let socket = try ListeningSocket.reserve(
                for: "servers[\(server.name)]", host: server.host, port: server.port)
            socket.close()
            return finding("port", .ok, "nobody listens at \(server.host) port \(server.port): it can be had")
        } catch {
            return finding(
                "port", .failed, "\(error)", advice: "end what listens there, or choose another port")
        }
    }

    private var certificates: [DoctorReport.Finding] {
        guard let tls = server.tls else { return [] }
        do throws(TLSSetupError) {
            let warnings = try ServerTLS(tls, protocols: []).warnings(at: now)
            guard warnings.isEmpty else { return warnings.map { finding("certificate", .warning, $0) } }
            return [finding("certificate", .ok, "good, and not about to end")]
        } catch {
            return [
                finding("certificate", .failed, error.description, advice: "wstunnel check tells more")
            ]
        }
    }
}
