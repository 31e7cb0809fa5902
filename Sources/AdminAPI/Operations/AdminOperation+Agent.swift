import AgentStatus
import FoundationEssentials
import HTTPMessage
import NIOCore
import TunnelConfiguration

// What the agent is and does, and its configuration.
extension AdminOperation {
    static let agent: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/status",
            summary:
                "What the agent is and does, with its first \(TunnelSnapshot.most) tunnels: /api/tunnels lists all.",
            parameters: [
                Parameter(
                    name: "tunnel",
                    meaning: "Of the connected tokens, list only those whose client has this name.")
            ],
            responses: [Response(meaning: "All of it.", schema: .json(AgentSnapshot.self))]
        ) { question, control in
            let name = question.parameters["tunnel"]
            return .json(200, await control.snapshot(ofTunnel: name, most: TunnelSnapshot.most))
        },
        AdminOperation(
            method: "GET", path: "/api/plan", audience: .role(.operate),
            summary: "What a reload would do now. Nothing changes.",
            responses: [
                Response(meaning: "What it would do.", schema: .json(PlanReport.self)),
                Response(status: 422, meaning: "Why it would be refused.", schema: .json(PlanReport.self)),
            ]
        ) { _, control in
            .plan(await control.plan(), refusal: 422)
        },
        AdminOperation(
            method: "POST", path: "/api/reload", audience: .role(.operate),
            summary: "Apply the configuration file; answered when that is done.",
            responses: [
                Response(meaning: "It is in force.", schema: .json(ReloadSnapshot.self)),
                Response(status: 422, meaning: "Why it was refused.", schema: .json(ReloadSnapshot.self)),
                Response(status: 412, meaning: "It is another plan than If-Match names.", schema: nil),
            ]
        ) { question, control in
            await .reload { () async throws(ActionError) in
                guard let plans = EntityTags.wanted(by: question.head.fields) else {
                    return await control.reload()
                }
                return try await control.reload(ifPlanned: plans)
            }
        },
        AdminOperation(
            method: "POST", path: "/api/handover", audience: .controlSocket,
            summary: "Give way to another process."
        ) { _, control in
            await control.handOver()
                ? .json(200, [String: String]())
                : .error(409, "the agent has handed over to another process already")
        },
        AdminOperation(
            method: "POST", path: "/api/explain", audience: .role(.operate),
            summary: "What would become of a request. Nothing changes.",
            body: Body(meaning: "The request.", schema: explanationQuery),
            responses: [Response(meaning: "Step by step.", schema: .json(ExplanationSnapshot.self))],
            isQuestion: true
        ) { question, control in
            let data = Data(question.body.readableBytesView)
            guard let query = try? JSONDecoder().decode(ExplanationQuery.self, from: data) else {
                return .error(
                    400, "the body is no query: wstunnel explain --running of this agent's version sends one")
            }
            if let fault = query.fault { return .error(400, fault) }
            guard AddressRange.isAddress(query.from) else { return .error(400, "\"from\" is no IP address") }
            do throws(ActionError) {
                return .json(200, try await control.explain(query))
            } catch {
                return .error(error.status, error.description)
            }
        },
    ]
    /// As strict as `ExplanationQuery.fault` and what is looked at below.
    private static var explanationQuery: AdminSchema {
        let word = AdminSchema.string(pattern: #"[^\x00-\x20\x7f]+"#)
        let text = AdminSchema.string(pattern: #"[^\x00-\x08\x0a-\x1f\x7f]*"#)
        let field = AdminSchema.json(ExplanationQuery.Field.self).with(["name": word, "value": text])
        return .json(ExplanationQuery.self).with([
            "method": word, "target": word, "fields": .list(field), "from": .address,
            "port": .integer(0...65_535), "server": .optional(.string()),
            "certificateName": .optional(.string()),
        ])
    }
}
