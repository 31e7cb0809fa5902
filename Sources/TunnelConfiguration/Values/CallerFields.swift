/// In which fields a tunnel server tells origins who calls.
package enum ForwardingFields: String, CaseIterable, Hashable, Sendable {
    /// `X-Forwarded-…`, `Forwarded` and `Via`.
    case all
    /// `X-Forwarded-…` alone.
    case xForwarded = "x-forwarded"
}

/// Whether a tunnel client changes URLs and cookies in fields between those that callers use and those of the origin.
package enum Redirects: String, CaseIterable, Hashable, Sendable {
    /// Of requests that came by their `Host`, which the tunnel server lists.
    case auto
    /// Of all.
    case rewrite
    /// Of none.
    case keep
}
