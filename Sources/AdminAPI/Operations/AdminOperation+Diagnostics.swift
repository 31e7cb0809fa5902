import AgentStatus

// What somebody sends who reports a fault.
extension AdminOperation {
    static let diagnostics: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/diag", audience: .role(.administer),
            summary: "What the agent says of itself for a bug report, in one answer. Secrets are left out.",
            responses: [Response(meaning: "All of it.", schema: .json(DiagnosticSnapshot.self))]
        ) { _, control in
            let (snapshot, redaction) = await control.diagnostics()
            guard let told = try? JSONTree(of: snapshot).redacted(by: redaction) else {
                return .error(500, "what the agent knows cannot be written as JSON")
            }
            return .json(200, told)
        }
    ]
}
