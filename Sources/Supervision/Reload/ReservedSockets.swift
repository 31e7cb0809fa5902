import Glibc
import HostSystem

/// Sockets that are bound and do not listen yet.
struct ReservedSockets: Sendable {
    private var sockets: [ListeningSocket] = []

    /// - Parameters:
    ///   - besides: sockets of ours that may stand in the way.
    ///   - patience: for one that left a moment ago and may not have closed its socket yet.
    mutating func reserve(
        _ purpose: String, host: String, port: Int, reusePort: Bool = false, besides: [ListeningSocket],
        patience: Duration
    ) throws(ListenError) -> ListeningSocket {
        let deadline = ContinuousClock.now + patience
        while true {
            do throws(ListenError) {
                let socket = try ListeningSocket.reserve(
                    for: purpose, host: host, port: port, reusePort: reusePort, besides: besides)
                sockets.append(socket)
                return socket
            } catch {
                guard error.isInUse, ContinuousClock.now < deadline else { throw error }
                usleep(20_000)
            }
        }
    }

    /// Last of all, when nothing else can fail any more: who connects from now on is not turned away.
    ///
    /// - Parameter besides: sockets of ours that may stand in the way.
    func listen(besides: [ListeningSocket]) throws(ListenError) {
        for socket in sockets { try socket.listen(besides: besides) }
    }
}

extension Preparer {
    /// How long a socket that a leaving server holds is waited for.
    var patience: Duration { ground.hasLeavingServers ? .seconds(2) : .zero }

    mutating func listen() {
        guard findings.faults.isEmpty else { return }
        let others = Array(ground.sockets.values) + [ground.exclusives.adminSocket].compactMap(\.self)
        _ = findings.attempt { try reserved.listen(besides: others) }
    }
}
