import ProxyProtocol

/// The keys for what stands behind a tunnel, and for what stands before a server and speaks for callers.
enum OriginKeys {
    /// Of a server.
    static let takenHeader = ScalarKey<ServerConfiguration.ProxyHeaderDemand?>.optionalChoice(
        "proxy-protocol",
        "Whether trusted-proxies say in a PROXY header (v1 or v2) whose a connection is: required, from nobody else; or "
            + "optional.")
    /// Of a tunnel.
    static let sentHeader = ScalarKey<ProxyHeader.Version?>.optionalChoice(
        "proxy-protocol",
        "The version of the PROXY header that tells origins, at the start of each connection, which caller it is for."
    )
}
