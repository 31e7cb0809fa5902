import Glibc
import NIOCore
import NIOPosix
import NameResolution
import SystemPackage
import TransportSecurity

extension OriginError {
    /// Puts the reason why there is no connection into words.
    init(connecting error: any Error, to address: OriginAddress) {
        let origin = address.place
        switch error {
        case let error as OriginError:
            self = error
        case let error as IOError:
            self.init(errno: error.errnoCode, origin: origin, isSocket: address.socketPath != nil)
        case let error as NIOConnectionError:
            self.init(error, origin: origin, host: address.host)
        case ChannelError.connectTimeout:
            self.init(.timedOut, "no connection to \(origin) in time")
        case ChannelError.eof where !address.isSecure:
            self.init(.closedEarly, "\(origin) closed the connection at once")
        case let error as TLSSetupError:
            self.init(.tlsFailed, "no TLS with \(origin): \(error)")
        case ChannelError.eof:
            self.init(.tlsFailed, "no TLS with \(origin): the connection ended in the handshake")
        case let error where TLSFailure.words(for: error) != nil:
            self.init(.tlsFailed, "no TLS with \(origin): \(TLSFailure.words(for: error) ?? "")")
        default:
            self.init(.unreachable, "cannot connect to \(origin) (\(type(of: error)))")
        }
    }

    private init(_ error: NIOConnectionError, origin: String, host: String) {
        if error.connectionErrors.isEmpty, let cause = error.dnsAError ?? error.dnsAAAAError {
            let crowd = (cause as? NameLookUpError).flatMap { $0.reason == .crowded ? $0 : nil }
            self =
                crowd.map { Self(.tooBusy, "\($0)") }
                ?? Self(.unresolvable, "host name \(host) has no address")
            return
        }
        switch error.telling {
        case let cause as IOError:
            self.init(errno: cause.errnoCode, origin: origin, isSocket: false)
        case ChannelError.connectTimeout?, nil:
            self.init(.timedOut, "no connection to \(origin) in time")
        case let cause?:
            self.init(.unreachable, "cannot connect to \(origin) (\(type(of: cause)))")
        }
    }

    private init(errno code: CInt, origin: String, isSocket: Bool) {
        switch code {
        case ENOENT where isSocket:
            self.init(.refused, "there is no \(origin): is the server that makes it running")
        case EACCES where isSocket:
            self.init(
                .unreachable,
                "\(origin) is closed to this user: it takes the right to write to it; see its group")
        // Of a socket: its queue is full.
        case EAGAIN where isSocket:
            self.init(.tooBusy, "\(origin) has more connections waiting than it takes")
        case ECONNREFUSED: self.init(.refused, "\(origin) refuses connections; is the server running")
        case EMFILE, ENFILE: self.init(.noDescriptors, "no connection to \(origin): too many open files here")
        case ETIMEDOUT: self.init(.timedOut, "no connection to \(origin) in time")
        default: self.init(.unreachable, "cannot connect to \(origin): \(Errno(rawValue: code))")
        }
    }
}
