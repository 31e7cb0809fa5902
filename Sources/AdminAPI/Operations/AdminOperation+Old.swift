import AgentStatus
import HTTPMessage

// What the Go program answers at these paths, by its field names; tokens cut.
extension AdminOperation {
    static let old: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/admin/monitoring",
            summary: "How much the servers carry, as the Go program tells it.",
            responses: [Response(meaning: "Sums over all servers.", schema: .json(OldMonitoring.self))]
        ) { _, control in .json(200, OldMonitoring(await control.snapshot(ofTunnel: nil, most: 0))) },
        AdminOperation(
            method: "GET", path: "/admin/auditing",
            summary: "Who is connected to the servers, as the Go program tells it.",
            responses: [
                Response(
                    meaning: "By token, cut, and a mark that tells apart those that begin alike.",
                    schema: .json(OldAuditing.self))
            ]
        ) { _, control in
            let status = await control.snapshot(ofTunnel: nil, most: 0)
            return .json(200, OldAuditing(status, await control.sessions()))
        },
    ]

    static let description: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/openapi.json", summary: "This API, as OpenAPI 3.1 describes it.",
            responses: [
                Response(meaning: "The document.", schema: .object(name: nil, []))
            ]
        ) { _, _ in .answer(.init(200, text: AdminDescription.text, as: .json)) }
    ]
}
