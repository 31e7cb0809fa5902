/// Which events somebody wants.
package struct EventFilter: Hashable, Sendable {
    /// Empty for all.
    package var kinds: Set<AgentEvent.Kind>
    /// Nil for any, and for what is about none.
    package var server: String?
    package var tunnel: String?

    package init(kinds: Set<AgentEvent.Kind> = [], server: String? = nil, tunnel: String? = nil) {
        self.kinds = kinds
        self.server = server
        self.tunnel = tunnel
    }

    package func takes(_ event: AgentEvent) -> Bool {
        (kinds.isEmpty || kinds.contains(event.kind)) && (server == nil || server == event.server)
            && (tunnel == nil || tunnel == event.tunnel)
    }
}
