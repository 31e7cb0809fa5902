import TunnelConfiguration

/// The API as OpenAPI 3.1 describes it, made of `AdminOperation.all`.
enum AdminDescription {
    /// The whole document. Made once.
    static let text = document(of: AdminOperation.all.filter { $0.audience != .controlSocket })

    static func document(of operations: [AdminOperation]) -> String {
        var components: [String: JSONValue] = [:]
        var paths: [(String, [(String, JSONValue)])] = []
        for operation in operations {
            let entry = (operation.method.lowercased(), json(operation, &components))
            if let index = paths.firstIndex(where: { $0.0 == operation.path }) {
                paths[index].1.append(entry)
            } else {
                paths.append((operation.path, [entry]))
            }
        }
        let document = JSONValue.object([
            ("openapi", .string("3.1.0")),
            (
                "info",
                .object([
                    ("title", .string("wstunnel admin API")),
                    ("description", .string("What an agent is and does, and what it can be told.")),
                    ("version", .string("1")),
                ])
            ),
            ("servers", .array([.object([("url", .string("/"))])])),
            ("security", .array([.object([("token", .array([]))])])),
            ("paths", .object(paths.map { ($0.0, .object($0.1)) })),
            (
                "components",
                .object([
                    ("schemas", .object(components.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })),
                    (
                        "securitySchemes",
                        .object([
                            ("token", .object([("type", .string("http")), ("scheme", .string("bearer"))]))
                        ])
                    ),
                ])
            ),
        ])
        return document.text() + "\n"
    }

    private static func json(
        _ operation: AdminOperation, _ components: inout [String: JSONValue]
    ) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("summary", .string(operation.summary)),
            ("description", .string(operation.audience.words)),
            ("operationId", .string(operation.name)),
        ]
        let parameters =
            operation.pathParameters.map { json($0, "path", &components) }
            + operation.parameters.map { json($0, "query", &components) }
        if !parameters.isEmpty { members.append(("parameters", .array(parameters))) }
        if let body = operation.body {
            let content = json(body.schema, "application/json", &components)
            members.append(
                (
                    "requestBody",
                    .object([
                        ("description", .string(body.meaning)), ("required", .boolean(true)),
                        ("content", content),
                    ])
                ))
        }
        let responses = operation.responses.map { response in
            var members: [(String, JSONValue)] = [("description", .string(response.meaning))]
            if let schema = response.schema {
                members.append(("content", json(schema, response.mediaType, &components)))
            }
            return ("\(response.status)", JSONValue.object(members))
        }
        let error = AdminSchema.object(
            name: "Error", [.init(name: "error", schema: .string(), isRequired: true)])
        let refusal = JSONValue.object([
            ("description", .string("What is wrong and what to do.")),
            ("content", json(error, "application/json", &components)),
        ])
        members.append(
            (
                "responses",
                .object(
                    (responses.isEmpty
                        ? [("200", .object([("description", .string("The answer."))]))] : responses)
                        + [("4XX", refusal), ("5XX", refusal)])
            ))
        if operation.audience == .everybody { members.append(("security", .array([]))) }
        return .object(members)
    }

    private static func json(
        _ parameter: AdminOperation.Parameter, _ place: String, _ components: inout [String: JSONValue]
    ) -> JSONValue {
        .object([
            ("name", .string(parameter.name)), ("in", .string(place)),
            ("description", .string(parameter.meaning)),
            ("required", .boolean(parameter.isRequired || place == "path")),
            ("schema", json(parameter.schema, &components)),
        ])
    }

    private static func json(
        _ schema: AdminSchema, _ mediaType: String, _ components: inout [String: JSONValue]
    ) -> JSONValue {
        .object([(mediaType, .object([("schema", json(schema, &components))]))])
    }

    private static func json(_ schema: AdminSchema, _ components: inout [String: JSONValue]) -> JSONValue {
        switch schema {
        case .anything: return .object([])
        case .string(let pattern):
            return .object(
                [("type", .string("string"))] + (pattern.map { [("pattern", .string("^(\($0))$"))] } ?? []))
        case .address:
            let kinds = ["ipv4", "ipv6"].map { JSONValue.object([("format", .string($0))]) }
            return .object([("type", .string("string")), ("anyOf", .array(kinds))])
        case .choice(let choices):
            return .object([("type", .string("string")), ("enum", .array(choices.map { .string($0) }))])
        case .integer(let range):
            var members: [(String, JSONValue)] = [("type", .string("integer"))]
            if let range {
                members.append(("minimum", .integer(range.lowerBound)))
                if range.upperBound < .max { members.append(("maximum", .integer(range.upperBound))) }
            }
            return .object(members)
        case .number: return .object([("type", .string("number"))])
        case .always(let value): return .object([("const", .boolean(value))])
        case .boolean: return .object([("type", .string("boolean"))])
        case .list(let element):
            return .object([("type", .string("array")), ("items", json(element, &components))])
        case .optional(let value):
            return .object([
                ("anyOf", .array([json(value, &components), .object([("type", .string("null"))])]))
            ])
        case .nothing: return .object([("type", .string("null"))])
        case .either(let schemas):
            return .object([("anyOf", .array(schemas.map { json($0, &components) }))])
        case .map(let element):
            return .object([
                ("type", .string("object")), ("additionalProperties", json(element, &components)),
            ])
        case .object(let name, let members):
            let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
            let value = JSONValue.object(
                [
                    ("type", .string("object")),
                    ("properties", .object(members.map { ($0.name, json($0.schema, &components)) })),
                ] + (required.isEmpty ? [] : [("required", .array(required))]))
            guard let name else { return value }
            components[name] = value
            return .object([("$ref", .string("#/components/schemas/\(name)"))])
        }
    }
}

extension AdminOperation {
    /// Unique among all.
    fileprivate var name: String {
        let words = path.split { "/{}.-".contains($0) }.filter { $0 != "api" }
        return ([method.lowercased()[...]] + words).joined(separator: "-")
    }
}

extension AdminOperation.Audience {
    /// Who may ask, in words.
    fileprivate var words: String {
        switch self {
        case .everybody: "Asks for no token."
        case .role(let role): "Asks for a token that may \(role.rawValue)."
        case .controlSocket: "Over the control socket alone."
        }
    }
}
