// Where an agent tells of itself beside `/metrics`: webhooks, spans, the history. Only of those that there are.
extension MetricCatalogue {
    static let webhookWaiting = MetricFamily(
        .gauge, "wstunnel_webhook_events_waiting", by: ["webhook"], "Events that it has yet to be told of.")
    static let webhookDelivered = MetricFamily(
        .counter, "wstunnel_webhook_events_delivered", by: ["webhook"], "Events that it took.")
    static let webhookFailures = MetricFamily(
        .counter, "wstunnel_webhook_failures", by: ["webhook"],
        "Tries that failed; an event is tried more than once.")
    static let webhookDeadLetters = MetricFamily(
        .counter, "wstunnel_webhook_dead_letters", by: ["webhook"],
        "Events that it will not be told of: too old, tried too often, too many, or refused for good.")
    static let tracingFault = MetricFamily(
        .gauge, "wstunnel_tracing_fault", "1 while the collector takes no spans, else 0.")
    static let spansSent = MetricFamily(
        .counter, "wstunnel_tracing_spans_sent", "Spans that the collector took.")
    static let tracingDropped = MetricFamily(
        .counter, "wstunnel_tracing_requests_dropped",
        "Requests whose spans were lost: the collector was away for too long, which is counted when it is back, or wants none of them."
    )
    static let tracingLimited = MetricFamily(
        .counter, "wstunnel_tracing_requests_limited",
        "Requests that were left out, as more spans were asked for than may be made.")
    static let historyFault = MetricFamily(
        .gauge, "wstunnel_history_fault",
        "1 while the history's file is not written, or cannot be read wholly, else 0. Only where there is to be one."
    )
    static let historyFile = MetricFamily(
        .gauge, "wstunnel_history_file", in: .bytes,
        "Size of the history's file, with what waits beside it. Only where there is to be one.")
    static let historyLost = MetricFamily(
        .counter, "wstunnel_history_rows_lost",
        "Events, requests and minutes that came and could not be kept.")

    static let records: [MetricFamily] = [
        webhookWaiting, webhookDelivered, webhookFailures, webhookDeadLetters, tracingFault, spansSent,
        tracingDropped, tracingLimited, historyFault, historyFile, historyLost,
    ]
}
