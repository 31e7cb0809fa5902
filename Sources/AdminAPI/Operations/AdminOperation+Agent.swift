import AgentStatus
import FoundationEssentials
import HTTPMessage
import NIOCore
import TunnelConfiguration

// What the agent is and does, and its configuration.
extension AdminOperation {
    static let agent: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/status", summary: "What the agent is and does.",
            parameters: [
                Parameter(
                    name: "tunnel",
                    meaning: "Of the connected tokens, list only those whose client has this name.")
            ]
        ) { question, control in
            .json(200, await control.snapshot(ofTunnel: question.parameters["tunnel"]))
        },
        AdminOperation(
            method: "GET", path: "/api/plan", summary: "What a reload would do now. Nothing changes."
        ) { _, control in
            .plan(await control.plan(), refusal: 422)
        },
        AdminOperation(
            method: "POST", path: "/api/reload", audience: .role(.operate),
            summary: "Apply the configuration file; answered when that is done."
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
            summary: "What would become of a request. Nothing changes.", isQuestion: true
        ) { question, control in
            let data = Data(question.body.readableBytesView)
            guard let query = try? JSONDecoder().decode(ExplanationQuery.self, from: data) else {
                return .error(
                    400, "the body is no query: wstunnel explain --running of this agent's version sends one")
            }
            if let fault = query.fault { return .error(400, fault) }
            guard AddressRange.isAddress(query.from) else { return .error(400, "\"from\" is no IP address") }
            do throws(ExplanationError) {
                return .json(200, try await control.explain(query))
            } catch {
                return .error(error.status, error.description)
            }
        },
    ]
}
