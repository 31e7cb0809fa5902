package import TunnelConfiguration

/// Who a session belongs to: a client process's tunnel, and which of its connections.
package struct ClientIdentity: Hashable, Sendable {
    /// A tunnel of a client process. Whoever claims another's text from elsewhere is another.
    package struct Process: Hashable, Sendable {
        /// Random text that a client keeps while it runs.
        package var text: String
        package var address: AddressGroup
    }

    package var process: Process
    /// Which of the client's connections.
    package var slot: Int

    package init(process: String, slot: Int, address: AddressGroup = .unknown) {
        self.process = Process(text: process, address: address)
        self.slot = slot
    }

    /// Reads `process/slot`; a client that sends nothing usable is one of its own.
    package init(text: String?, address: AddressGroup, otherwise: @autoclosure () -> String) {
        let parts = (text ?? "").split(separator: "/")
        if parts.count == 2, let slot = Int(parts[1]), parts[0].utf8.count <= 64 {
            self.init(process: String(parts[0]), slot: slot, address: address)
        } else {
            self.init(process: otherwise(), slot: 0, address: address)
        }
    }
}
