// The agent and its process.
extension MetricCatalogue {
    static let build = MetricFamily(.info, "wstunnel_build", by: ["version"], "What runs.")
    static let phase = MetricFamily(
        .gauge, "wstunnel_agent_phase", by: ["phase"], "1 for the phase that the agent is in, else 0.")
    static let generation = MetricFamily(
        .gauge, "wstunnel_configuration_generation",
        "Counts the configurations that came into force; the first is 1.")
    static let reloads = MetricFamily(
        .counter, "wstunnel_reloads", by: ["outcome"], "Reloads of the configuration that are over.")
    static let reloadSucceeded = MetricFamily(
        .gauge, "wstunnel_last_reload_successful",
        "0 where the last reload was refused: what ran before runs on. 1 before the first.")
    static let reloadTime = MetricFamily(
        .gauge, "wstunnel_last_reload_timestamp", in: .seconds,
        "When the last reload was over; 0 before the first.")
    static let loadStage = MetricFamily(
        .gauge, "wstunnel_load_stage", "How far load shedding goes: 0 where nothing is done, to 3.")
    static let loadRatio = MetricFamily(
        .gauge, "wstunnel_load", in: .ratio, by: ["resource"],
        "How much of what load shedding looks at is used, of what there is.")
    static let receiveBufferUsed = MetricFamily(
        .gauge, "wstunnel_receive_buffer_used", in: .bytes,
        "Memory drawn for data that was received and not taken yet, beyond the minimum of each stream.")
    static let receiveBufferLimit = MetricFamily(
        .gauge, "wstunnel_receive_buffer_limit", in: .bytes,
        "How much of that memory there is for the process.")
    static let spilled = MetricFamily(
        .gauge, "wstunnel_spill", in: .bytes, "Messages of protocol v1 that are kept in files.")
    static let linesDropped = MetricFamily(
        .counter, "wstunnel_log_lines_dropped", by: ["sink"],
        "Log lines that were lost: their place did not take them.")
    static let paused = MetricFamily(
        .gauge, "wstunnel_paused", by: ["kind"], "Servers and tunnels that are paused.")
    static let blockedTokens = MetricFamily(
        .gauge, "wstunnel_blocked_tokens", "Tokens that the servers do not serve for now.")
    static let loopCPU = MetricFamily(
        .counter, "wstunnel_event_loop_cpu", in: .seconds, by: ["loop"],
        "Processor time of an event loop: as it nears one second per second, the loop is full.")
    static let loopDelay = MetricFamily(
        .gauge, "wstunnel_event_loop_delay", in: .seconds, by: ["loop"],
        "How long an event loop took to get to something that this scrape handed to it.")

    static let agent: [MetricFamily] = [
        build, phase, generation, reloads, reloadSucceeded, reloadTime, loadStage, loadRatio,
        receiveBufferUsed, receiveBufferLimit, spilled, linesDropped, paused, blockedTokens, loopCPU,
        loopDelay,
    ]

    // By the names that all programs have for these.
    static let resident = MetricFamily(
        .gauge, "process_resident_memory", in: .bytes, "Memory of the process that is in use.")
    static let openFiles = MetricFamily(.gauge, "process_open_fds", "Descriptors that are open.")
    static let mostFiles = MetricFamily(.gauge, "process_max_fds", "Descriptors that may be open.")
    static let cpu = MetricFamily(
        .counter, "process_cpu", in: .seconds, "Processor time, of user and system.")
    static let startTime = MetricFamily(
        .gauge, "process_start_time", in: .seconds, "When the process began, since 1970.")

    static let process: [MetricFamily] = [resident, openFiles, mostFiles, cpu, startTime]
}
