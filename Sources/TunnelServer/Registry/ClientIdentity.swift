/// Who a session belongs to: a client process's tunnel, and which of its connections.
package struct ClientIdentity: Hashable, Sendable {
    /// Random text that a client keeps while it runs.
    package var process: String
    /// Which of the client's connections.
    package var slot: Int

    package init(process: String, slot: Int) {
        self.process = process
        self.slot = slot
    }

    /// Reads `process/slot`; a client that sends nothing usable is one of its own.
    package init(text: String?, otherwise: @autoclosure () -> String) {
        let parts = (text ?? "").split(separator: "/")
        if parts.count == 2, let slot = Int(parts[1]), parts[0].utf8.count <= 64 {
            self.init(process: String(parts[0]), slot: slot)
        } else {
            self.init(process: otherwise(), slot: 0)
        }
    }
}
