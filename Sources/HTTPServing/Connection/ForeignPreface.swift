/// What begins a connection that is meant for another kind of port: named in the answer and the log, as whoever set it up
/// would look for the fault elsewhere.
package enum ForeignPreface: Hashable {
    case tls
    case proxyProtocol

    /// Of versions 1 and 2; a method may be called PROXY.
    private static let proxyBeginnings: [[UInt8]] = [
        Array("PROXY TCP".utf8), Array("PROXY UNKNOWN".utf8),
        [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10],
    ]

    /// - Parameter bytes: what came first.
    init?(_ bytes: some Collection<UInt8>) {
        // A handshake record of any version of TLS (RFC 8446 §5.1).
        if bytes.starts(with: [22, 3]) {
            self = .tls
        } else if Self.proxyBeginnings.contains(where: { bytes.starts(with: $0) }) {
            self = .proxyProtocol
        } else {
            return nil
        }
    }
}
