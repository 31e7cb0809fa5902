// TestSupport: the world around the code under test.
//
// Callers (`HTTPConnection`, `WebSocketConnection`, `curl`), origins (`ScriptedOrigin`, `NginxOrigin`) and
// the built agent (`AgentProcess`), written on plain sockets and processes: none of it shares code with the
// agent, so a mistake there is not repeated here. Everything that waits has a limit, and every child
// process is killed by its own id when its owner goes.
//
// These calls block their thread. A test that also needs Swift tasks to run on runs them `onThread`.
