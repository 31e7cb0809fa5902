import HTTPMessage
import NIOCore
import SystemPackage

/// A listener that could not be opened.
package struct ListenError: Error, CustomStringConvertible {
    /// What went wrong and what to do.
    package let description: String
    /// Whether somebody else listens there.
    package let isInUse: Bool

    /// - Parameter error: what the system, or NIO, says.
    package init(_ purpose: String, host: String, port: Int, _ error: any Error) {
        let failure = error as? Errno ?? (error as? IOError).map { Errno(rawValue: $0.errnoCode) }
        isInUse = failure == .addressInUse
        let reason =
            switch failure {
            case .addressInUse:
                "the address is in use — is another wstunnel running? Stop it or choose another port"
            case .permissionDenied: "not permitted — ports below 1024 need root or CAP_NET_BIND_SERVICE"
            case .addressNotAvailable: "this machine has no such address — check host"
            case .tooManyOpenFiles, .tooManyOpenFilesInSystem: "too many open files"
            case let failure?: failure.description
            case nil where error is ChannelError: "the connection was closed"
            case nil: "the connection failed (\(type(of: error)))"
            }
        description = "\(purpose): cannot listen on \(hostAndPort(host, port)): \(reason)"
    }

    /// A host of which no address is known.
    init(_ purpose: String, unknownHost host: String, port: Int) {
        isInUse = false
        description =
            "\(purpose): cannot listen on \(hostAndPort(host, port)): the host name cannot be resolved — write an address of this machine, or 0.0.0.0 for all"
    }

    /// A descriptor that was passed to this process and is not what a server can listen on.
    init(inherited descriptor: CInt, _ reason: String) {
        isInUse = false
        description =
            "cannot listen on the passed descriptor \(descriptor): \(reason) — pass a TCP socket that listens "
            + "(systemd: ListenStream=)"
    }
}
