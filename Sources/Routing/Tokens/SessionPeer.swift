/// The other end of a session, as far as people ask for it.
package struct SessionPeer: Hashable, Sendable {
    package var address: String
    /// The same with its port, where that is known.
    package var endpoint: String
    package var software: String

    package init(address: String, endpoint: String, software: String) {
        self.address = address
        self.endpoint = endpoint
        self.software = software
    }
}
