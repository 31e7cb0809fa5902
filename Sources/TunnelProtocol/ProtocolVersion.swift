/// The version of the protocol that a session speaks, as the two ends agree on in the handshake of its WebSocket.
package enum ProtocolVersion: Int, Sendable, Hashable, CaseIterable {
    /// Whole HTTP messages, one after another: what the Go program speaks (`Message`).
    case v1 = 1
    /// The mux: what two ends of ours speak (`Mux`).
    case v2 = 2
}
