import AgentStatus

// The addresses that are shut out.
extension AdminOperation {
    static let bans: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/bans", summary: "The addresses that are shut out.",
            responses: [Response(meaning: "All of them.", schema: .list(.json(BanSnapshot.self)))]
        ) { _, control in .json(200, await control.bans()) },
        AdminOperation(
            method: "POST", path: "/api/unban", audience: .role(.operate),
            summary: "Let an address in again.",
            parameters: [
                Parameter(
                    name: "address", meaning: "An IP address, a ban as listed, or `all`.", isRequired: true,
                    schema: .string(pattern: "all|[0-9A-Fa-f:.]+(/64)?"))
            ],
            responses: [Response(meaning: "How many bans ended.", schema: .json([String: Int].self))]
        ) { question, control in
            guard let address = question.parameters["address"], !address.isEmpty else {
                return .error(400, "name the address: ?address=192.0.2.7, or ?address=all")
            }
            return .json(200, ["lifted": await control.unban(address == "all" ? nil : address)])
        },
    ]
}
