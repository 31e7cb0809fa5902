import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import NameResolution
import SystemPackage

/// Words for the errors of connections: what people can act on, never a type's dump.
package enum ConnectionFailure {
    /// How much of the TLS library's own words is repeated, in characters.
    private static let longestDetail = 200

    /// A short sentence without a trailing period.
    package static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            return (error.telling ?? error.dnsAError ?? error.dnsAAAAError).map(describe) ?? "cannot connect"
        case let error as NameLookUpError:
            return error.description
        case let error as IOError:
            return reason(errno: error.errnoCode)
        case ChannelError.connectTimeout:
            return "timed out while connecting"
        case is ChannelError:
            return "the connection was closed"
        case NIOSSLError.uncleanShutdown:
            return "the TLS connection was cut"
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            return reason(forTLS: error)
        default:
            return "the connection failed (\(type(of: error)))"
        }
    }

    private static func reason(forTLS error: any Error) -> String {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return "no TLS: the server's certificate is not trusted; name its authority with certfile"
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return "no TLS: the server does not speak it; use ws://"
        }
        if (error as? NIOSSLExtraError) == .failedToValidateHostname {
            return "no TLS: the server's certificate is for another name"
        }
        return "no TLS: \(text.prefix(longestDetail))"
    }

    private static func reason(errno code: CInt) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE: "connection reset by the peer"
        case ETIMEDOUT: "timed out"
        case EHOSTUNREACH, ENETUNREACH: "no route to the host"
        case EMFILE, ENFILE: "too many open files"
        default: Errno(rawValue: code).description
        }
    }
}
