package import AgentStatus
import HTTPMessage
package import NIOPosix
import TransportSecurity
import TunnelConfiguration
import TunnelTransport

/// Asks for a place as a caller does who knows its URL.
package struct PlaceExamination: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let trust: TrustPool
    private let software: String
    private let now: Int

    /// - Parameter now: seconds since 1970.
    package init(_ group: MultiThreadedEventLoopGroup, trust: TrustPool, software: String, now: Int) {
        self.group = group
        self.trust = trust
        self.software = software
        self.now = now
    }

    /// - Parameters:
    ///   - subject: whose place it is.
    ///   - url: as people read it.
    ///   - target: path and query.
    ///   - isThroughTunnel: whether an answer of 500 and above says that a tunnel does not work.
    package func findings(
        _ subject: String, at url: String, isSecure: Bool, host: String, port: Int, target: String,
        isThroughTunnel: Bool
    ) async -> [DoctorReport.Finding] {
        do {
            let look = try await look(isSecure, host, port, target)
            var findings = TunnelExamination.findings(of: look, subject, now: now)
            if let index = findings.firstIndex(where: { $0.step == "http" }) {
                let isBad = look.head.status >= 500
                findings[index].step = "request"
                findings[index].verdict = isBad ? (isThroughTunnel ? .failed : .warning) : .ok
                findings[index].words = "\(url) is answered by \(look.head.status)"
                findings[index].advice =
                    isBad ? "wstunnel explain GET \(Self.quoted(url)) tells what becomes of it" : nil
            }
            return findings
        } catch {
            let words = (error as? DialError)?.message ?? (error as? TLSSetupError)?.description ?? "\(error)"
            return [
                DoctorReport.Finding(
                    subject, "request", .failed, "\(url): \(words)",
                    advice:
                        "does the name lead here, and does the reverse proxy or port forwarding in front pass it on?"
                )
            ]
        }
    }

    /// As one word of a shell.
    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: #"'\''"#) + "'"
    }

    private func look(
        _ isSecure: Bool, _ host: String, _ port: Int, _ target: String
    ) async throws -> HTTPLook {
        var tls: ClientTLS?
        if isSecure {
            let system = try trust.tls(PeerTrust())
            try system.load(for: host)
            tls = system
        }
        let place = TunnelDialler.Target(
            host: host, port: port, path: target, fields: HeaderFields(), tls: tls)
        return try await TunnelDialler(place, patience: TunnelExamination.patience).look(
            at: target, on: group.next())
    }
}
