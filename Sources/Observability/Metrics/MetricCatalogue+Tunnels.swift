// The tunnels whose client the agent is. There may be thousands: no histograms, and reasons only where there were any.
extension MetricCatalogue {
    static let tunnelSessions = MetricFamily(
        .gauge, "wstunnel_tunnel_sessions", by: ["tunnel"],
        "Sessions that are up; 0 where the tunnel is down.")
    static let tunnelWanted = MetricFamily(
        .gauge, "wstunnel_tunnel_sessions_wanted", by: ["tunnel"], "Sessions that should be up.")
    static let tunnelStarted = MetricFamily(
        .counter, "wstunnel_tunnel_requests_started", by: ["tunnel"], "Requests that came by it.")
    static let tunnelRequests = MetricFamily(
        .counter, "wstunnel_tunnel_requests", by: ["tunnel", "class"],
        "Requests that are over, by the status of the answer. Only classes that there were.")
    static let tunnelInFlight = MetricFamily(
        .gauge, "wstunnel_tunnel_requests_in_flight", by: ["tunnel"], "Requests under way.")
    static let tunnelRequestBytes = MetricFamily(
        .counter, "wstunnel_tunnel_request_body", in: .bytes, by: ["tunnel"], "Bytes of requests' bodies.")
    static let tunnelResponseBytes = MetricFamily(
        .counter, "wstunnel_tunnel_response_body", in: .bytes, by: ["tunnel"], "Bytes of answers' bodies.")
    static let tunnelOrigin = MetricFamily(
        .summary, "wstunnel_tunnel_origin_duration", in: .seconds, by: ["tunnel"],
        "From when a request was there until its origin's answer began.")
    static let tunnelRoundTrips = MetricFamily(
        .summary, "wstunnel_tunnel_round_trip", in: .seconds, by: ["tunnel"],
        "Until the server answered a ping. Only tunnels that had one.")
    static let dialFailures = MetricFamily(
        .counter, "wstunnel_tunnel_dial_failures", by: ["tunnel", "reason"],
        "Attempts to connect that failed. Only reasons that there were.")
    static let tunnelSessionEnds = MetricFamily(
        .counter, "wstunnel_tunnel_session_ends", by: ["tunnel", "reason"],
        "Sessions that are over: each is followed by a reconnect. Only reasons that there were.")
    static let originErrors = MetricFamily(
        .counter, "wstunnel_tunnel_origin_errors", by: ["tunnel", "reason"],
        "Exchanges with origins that gave no whole answer. Only reasons that there were.")
    static let originConnections = MetricFamily(
        .gauge, "wstunnel_tunnel_origin_connections", by: ["tunnel", "state"], "Connections to origins.")
    static let originQueue = MetricFamily(
        .gauge, "wstunnel_tunnel_origin_queue", by: ["tunnel"],
        "Requests that wait for a connection to an origin.")

    static let tunnels: [MetricFamily] = [
        tunnelSessions, tunnelWanted, tunnelStarted, tunnelRequests, tunnelInFlight, tunnelRequestBytes,
        tunnelResponseBytes, tunnelOrigin, tunnelRoundTrips, dialFailures, tunnelSessionEnds, originErrors,
        originConnections, originQueue,
    ]
}
