/// The keys of what origins are told of callers, and callers of origins.
enum FieldKeys {
    // servers
    static let forwarding = ScalarKey<ForwardingFields>.choice(
        "forwarding", default: .all,
        "In which fields origins are told who calls: all, or x-forwarded: without Forwarded and Via.")

    // tunnels
    static let redirects = ScalarKey<Redirects>.choice(
        "redirects", default: .auto,
        "Whether URLs and cookies in fields are changed between those of callers and the origin's: rewrite, keep, or "
            + "auto: of requests that came by the server's hosts.")
}
