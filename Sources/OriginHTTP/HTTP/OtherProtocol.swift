import NIOCore

/// What answers in the place of an HTTP server, where its first bytes tell.
enum OtherProtocol {
    case tls, ssh

    /// - Parameter answer: what came, from its first byte on.
    init?(_ answer: ByteBuffer) {
        let start = answer.getBytes(at: 0, length: min(4, answer.writerIndex)) ?? []
        // An alert (RFC 8446 §6), of whatever version.
        if start.starts(with: [0x15, 0x03]) {
            self = .tls
        } else if start == Array("SSH-".utf8) {
            // RFC 4253 §4.2
            self = .ssh
        } else {
            return nil
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
