import Glibc
import NIOCore
import NIOPosix
import NameResolution
import SystemPackage
import TransportSecurity

/// Words for the errors of connections: what people can act on, never a type's dump.
package enum ConnectionFailure {
    /// A short sentence without a trailing period.
    package static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            return (error.telling ?? error.dnsAError ?? error.dnsAAAAError).map(describe) ?? "cannot connect"
        case let error as LongPollEnd:
            return error.description
        case let error as NameLookUpError:
            return error.description
        case let error as IOError:
            return reason(errno: error.errnoCode)
        case ChannelError.connectTimeout:
            return "timed out while connecting"
        case is ChannelError:
            return "the connection was closed"
        default:
            return TLSFailure.words(for: error) ?? "the connection failed (\(type(of: error)))"
        }
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
