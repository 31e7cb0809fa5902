import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// Words for the errors of connections: what people can act on, never a type's dump.
package enum ConnectionFailure {
    /// A short sentence without a trailing period.
    package static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if error.dnsAError != nil || error.dnsAAAAError != nil, error.connectionErrors.isEmpty {
                return "the host name \"\(error.host)\" cannot be resolved"
            }
            return error.connectionErrors.first.map { describe($0.error) } ?? "cannot connect"
        case let error as IOError:
            return reason(errno: error.errnoCode)
        case ChannelError.connectTimeout:
            return "timed out while connecting"
        case is ChannelError:
            return "the connection was closed"
        case NIOSSLError.uncleanShutdown:
            return "the TLS connection was cut"
        case let error as NIOSSLError:
            return "TLS failed: \(error)"
        case let error as NIOSSLExtraError:
            return "TLS failed: \(error.description)"
        case let error as BoringSSLError:
            return "TLS failed: \(error)"
        default:
            return "\(error)"
        }
    }

    private static func reason(errno code: CInt) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE: "connection reset by the peer"
        case ETIMEDOUT: "timed out"
        case EHOSTUNREACH, ENETUNREACH: "no route to the host"
        case EMFILE, ENFILE: "too many open files"
        default: String(cString: strerror(code))
        }
    }
}
