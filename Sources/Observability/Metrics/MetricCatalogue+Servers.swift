// The tunnel servers of an agent.
extension MetricCatalogue {
    static let listening = MetricFamily(
        .gauge, "wstunnel_server_listening", by: ["server"], "Whether it listens: 0 where its listener broke."
    )
    static let started = MetricFamily(
        .counter, "wstunnel_requests_started", by: ["server"], "Requests that went to a tunnel.")
    static let requests = MetricFamily(
        .counter, "wstunnel_requests", by: ["server", "code"],
        "Requests that are over, those that were answered here too, by the status that their callers got.")
    static let outcomes = MetricFamily(
        .counter, "wstunnel_request_outcomes", by: ["server", "outcome"],
        "The same requests by what became of them.")
    static let inFlight = MetricFamily(
        .gauge, "wstunnel_requests_in_flight", by: ["server"], "Requests under way, those that wait included."
    )
    static let queued = MetricFamily(
        .gauge, "wstunnel_requests_queued", by: ["server"], "Requests that wait for a session.")
    static let requestBytes = MetricFamily(
        .counter, "wstunnel_request_body", in: .bytes, by: ["server"], "Bytes of callers' bodies.")
    static let responseBytes = MetricFamily(
        .counter, "wstunnel_response_body", in: .bytes, by: ["server"], "Bytes of answers' bodies.")
    static let durations = MetricFamily(
        .histogram, "wstunnel_request_duration", in: .seconds, by: ["server"],
        "From the head of a request that went to a tunnel to the end of its exchange. In OpenMetrics with ids of requests as exemplars."
    )
    static let parts = MetricFamily(
        .histogram, "wstunnel_request_part_duration", in: .seconds, by: ["server", "part"],
        "Where the time until an answer began went. Tunnel and origin are known of clients of protocol v2.")
    static let callers = MetricFamily(
        .gauge, "wstunnel_callers", by: ["server"], "Callers' connections.")
    static let sessions = MetricFamily(
        .gauge, "wstunnel_sessions", by: ["server"], "Connections of tunnel clients.")
    static let connected = MetricFamily(
        .gauge, "wstunnel_connected_tunnels", by: ["server"], "Tokens that have a session.")
    static let roundTrips = MetricFamily(
        .histogram, "wstunnel_session_round_trip", in: .seconds, by: ["server"],
        "Until a session's ping was answered.")
    static let handshakeFailures = MetricFamily(
        .counter, "wstunnel_handshake_failures", by: ["server", "reason"],
        "Tunnel clients that were not let in.")
    static let sessionEnds = MetricFamily(
        .counter, "wstunnel_session_ends", by: ["server", "reason"], "Sessions that are over.")
    static let refusals = MetricFamily(
        .counter, "wstunnel_refusals", by: ["server", "reason"],
        "Requests and connections of callers that were refused.")
    static let limits = MetricFamily(
        .counter, "wstunnel_limits_reached", by: ["server", "limit"],
        "How often a limit of the configuration was reached.")
    static let bans = MetricFamily(
        .counter, "wstunnel_bans", by: ["server"], "Addresses that were shut out, each time.")
    static let banned = MetricFamily(
        .gauge, "wstunnel_banned_addresses", by: ["server"], "Addresses that are shut out now.")
    static let certificates = MetricFamily(
        .gauge, "wstunnel_certificate_expiry_timestamp", in: .seconds, by: ["server", "use"],
        "When the first of its certificates ends, since 1970; also of the admin listener.")

    static let servers: [MetricFamily] = [
        listening, started, requests, outcomes, inFlight, queued, requestBytes, responseBytes, durations,
        parts, callers, sessions, connected, roundTrips, handshakeFailures, sessionEnds, refusals, limits,
        bans, banned, certificates,
    ]
}
