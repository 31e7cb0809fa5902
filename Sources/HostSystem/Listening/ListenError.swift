import Glibc
import NIOCore
import TunnelTransport

/// A listener that could not be opened.
package struct ListenError: Error, CustomStringConvertible {
    /// What went wrong and what to do.
    package let description: String
    /// Whether somebody else listens there.
    package let isInUse: Bool

    init(_ purpose: String, host: String, port: Int, _ error: any Error) {
        let code = (error as? IOError)?.errnoCode
        isInUse = code == EADDRINUSE
        let reason =
            switch code {
            case EADDRINUSE:
                "the address is in use — is another wstunnel running? Stop it or choose another port"
            case EACCES: "not permitted — ports below 1024 need root or CAP_NET_BIND_SERVICE"
            case EADDRNOTAVAIL: "this machine has no such address — check host"
            case nil where error is SocketAddressError.UnknownHost:
                "the host name cannot be resolved — write an address of this machine, or 0.0.0.0 for all"
            default: ConnectionFailure.describe(error)
            }
        description = "\(purpose): cannot listen on \(hostAndPort(host, port)): \(reason)"
    }

    /// A descriptor that was passed to this process and is not what a server can listen on.
    init(inherited descriptor: CInt, _ reason: String) {
        isInUse = false
        description =
            "cannot listen on the passed descriptor \(descriptor): \(reason) — pass a TCP socket that listens "
            + "(systemd: ListenStream=)"
    }
}
