import HostSystem
import TunnelServer

/// A tunnel server of the agent with the socket it listens on.
///
/// The socket is the agent's rather than the server's: a reload may hand it to a server of another name.
struct RunningServer: RunningChild {
    let server: TunnelServer
    var socket: ListeningSocket
    private let stop = Latch()
    /// Opened before `finish` when its socket goes to another server.
    let socketIsKept = Latch()
    /// Opened once it needs tunnel clients for no more than what is in flight.
    let quiet = Latch()
    let ended = Latch()

    /// Returns when the server has ended, after `finish`.
    func run() async {
        await stop.wait()
        await server.drain(keepingSocket: socketIsKept.isOpen) { quiet.open() }
        ended.open()
    }

    var isFinishing: Bool { stop.isOpen }

    func finish() { stop.open() }

    func cut() { server.close() }
}
