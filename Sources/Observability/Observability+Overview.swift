// Observability: what the agent tells the people who run it.
//
// A line begins at a `Logger` (swift-log, made by `AgentLog`) or at `AccessLog`, is put into bytes by
// `LogLine` in one of three formats, and goes to `LogSink`, whose own thread writes it. Event loops log
// too, so nothing on this way waits: not for a disk, not for a pipe that nobody reads.
//
// Secrets never come here: a token arrives as its hint, an address without its password.
