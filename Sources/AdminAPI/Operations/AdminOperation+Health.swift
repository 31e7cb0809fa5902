import AgentStatus

// For whoever decides whether to restart the agent, or to send it requests. They tell nothing that a stranger may not know.
extension AdminOperation {
    static let health: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/healthz", audience: .everybody, summary: "Whether the agent is alive.",
            responses: [Response(meaning: "It is.", schema: .json([String: String].self))]
        ) { _, _ in .json(200, ["status": "alive"]) },
        AdminOperation(
            method: "GET", path: "/readyz", audience: .everybody,
            summary:
                "Whether it does what it is there for: all servers listen, and all required tunnels are up, or one where none is required.",
            responses: [
                Response(meaning: "It does.", schema: .json(ReadinessSnapshot.self)),
                Response(
                    status: 503, meaning: "It does not, and why.", schema: .json(ReadinessSnapshot.self)),
            ]
        ) { _, control in
            let readiness = await control.readiness()
            return .json(readiness.isReady ? 200 : 503, readiness)
        },
    ]
}
