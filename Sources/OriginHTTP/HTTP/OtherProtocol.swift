/// What answers in the place of an HTTP server, where its first bytes tell.
enum OtherProtocol {
    case tls, ssh

    /// - Parameter opening: the first four bytes that came.
    init?(_ opening: UInt32) {
        switch opening {
        // An alert (RFC 8446 §6), of whatever version.
        case 0x1503_0000...0x1503_ffff: self = .tls
        // "SSH-" (RFC 4253 §4.2)
        case 0x5353_482d: self = .ssh
        default: return nil
        }
    }

    /// What is wrong, and what to do; begins behind the origin's address.
    var explanation: String {
        switch self {
        case .tls: "speaks TLS, not plain HTTP — write https:// before it"
        case .ssh: "is an SSH server — name the port of a web server"
        }
    }
}
