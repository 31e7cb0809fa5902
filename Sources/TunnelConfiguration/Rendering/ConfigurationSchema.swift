/// The JSON schema (draft 2020-12) of the configuration file, made of the key tables.
package enum ConfigurationSchema {
    /// The whole schema as text, with a line break at its end: `config/tunnels.schema.json` is this.
    package static let json = schema.text() + "\n"

    private static var schema: JSONValue {
        .object([
            ("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
            ("title", .string("wstunnel configuration")),
            (
                "description",
                .string(
                    "What wstunnel --config reads. Any value may hold ${VARIABLE} or ${VARIABLE:-default}. "
                        + "Files that it includes are #/$defs/included.")
            ),
            ("type", .string("object")),
            ("properties", properties(ConfigurationSection.root.keys)),
            ownKeys,
            ("additionalProperties", .boolean(false)),
            ("anyOf", anyOneRequired([Keys.include, Keys.servers, Keys.tunnels])),
            ("$defs", .object(definitions)),
        ])
    }

    private static var definitions: [(String, JSONValue)] {
        let plain: [ConfigurationSection] = [
            .included, .log, .admin, .adminTLS, .defaults, .tls, .certificate, .originTLS, .serverInnerTLS,
            .tunnelInnerTLS, .hostClaims, .tokenHostClaims, .callers, .callerHeaders, .fieldChanges,
            .maintenance, .limits, .addressLimits, .requestLimits, .tokenLimits, .ban, .health,
            .loadShedding, .tracing, .tracingHeader, .webhook, .history,
        ]
        return plain.map { ($0.rawValue, closed($0)) }
            + entry(.server)
            + [ConfigurationSection.passwordEntry, .hostEntry, .portEntry].map { ($0.rawValue, closed($0)) }
            + entry(.tunnel) + shapes
    }

    /// Whatever the user keeps there, for anchors.
    private static let ownKeys: (String, JSONValue) = (
        "patternProperties", .object([("^\(ConfigurationSection.ownKeyPrefix)", .object([]))])
    )

    /// A section that lists all its keys.
    private static func closed(_ section: ConfigurationSection) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("type", .string("object")), ("properties", properties(section.keys)),
            ("additionalProperties", .boolean(false)),
        ]
        if section.takesOwnKeys { members.append(ownKeys) }
        members += exclusions(section.keys)
        if section == .hostEntry {
            members.append(("required", .array([.string(HostKeys.host.declaration.name)])))
        }
        if section == .tracingHeader {
            members.append(("required", .array([.string(TracingKeys.headerName.declaration.name)])))
            members.append(("anyOf", anyOneRequired(TracingKeys.headerValue.declarations)))
        }
        if section == .portEntry {
            members.append(("required", .array([.string(PortKeys.port.declaration.name)])))
        }
        if section == .history {
            members.append(("required", .array([.string(HistoryKeys.file.declaration.name)])))
        }
        if section == .serverInnerTLS {
            members.append(("required", .array([.string(TLSKeys.certFile.declaration.name)])))
        }
        if section == .tunnelInnerTLS {
            members.append(("anyOf", anyOneRequired([TLSKeys.pins, TLSKeys.innerAuthorities.declaration])))
        }
        if section == .webhook {
            members.append(("required", .array([.string(WebhookKeys.url.declaration.name)])))
            members.append(("anyOf", anyOneRequired(WebhookKeys.secret.declarations)))
        }
        if section.keys.contains(Keys.token.literal) {
            members.append(("anyOf", anyOneRequired(Keys.token.declarations)))
        }
        return .object(members)
    }

    /// An entry of a list and, apart from it, its keys without the name: `defaults` takes these.
    private static func entry(_ section: ConfigurationSection) -> [(String, JSONValue)] {
        let name = Keys.name.declaration
        let keys = section.keys.filter { $0 != name }
        return [
            (
                section.rawValue,
                .object([
                    ("type", .string("object")),
                    ("$ref", .string("#/$defs/\(section.rawValue)Keys")),
                    ("properties", properties([name])),
                    ("required", .array([.string(name.name)])),
                    ("unevaluatedProperties", .boolean(false)),
                ])
            ),
            ("\(section.rawValue)Keys", .object([("properties", properties(keys))] + exclusions(keys))),
        ]
    }

    private static func properties(_ keys: [KeyDeclaration]) -> JSONValue {
        .object(
            keys.map { key in
                var members: [(String, JSONValue)] = [("description", .string(key.meaning))]
                members += self.members(of: key.shape)
                if let text = key.defaultText {
                    members.append(("default", defaultValue(text, key.shape)))
                }
                return (key.name, .object(members))
            })
    }

    private static func members(of shape: ValueShape) -> [(String, JSONValue)] {
        let text = JSONValue.reference("text")
        switch shape {
        case .text, .secret, .path, .url, .regexp: return reference("text")
        case .name:
            return reference("text")
                + [("pattern", .string("^[A-Za-z0-9][A-Za-z0-9_.-]*$|\\$\\{"))]
        case .fields: return [("type", .string("object")), ("additionalProperties", text)]
        case .switchOrMapping(let section):
            return [
                (
                    "anyOf",
                    .array([
                        .object(orVariable([("type", .string("boolean"))])), .reference(section.rawValue),
                    ])
                )
            ]
        case .duration: return reference("duration")
        case .command: return reference("command")
        case .byteCount: return reference("size")
        case .integer(let range):
            return orVariable([
                ("type", .string("integer")), ("minimum", .integer(range.lowerBound)),
                ("maximum", .integer(range.upperBound)),
            ])
        case .boolean: return orVariable([("type", .string("boolean"))])
        case .choice(let choices):
            return orVariable([("enum", .array(choices.map { .string($0) }))])
        case .secrets: return list(of: text) + [("minItems", .integer(1))]
        case .addresses: return list(of: text)
        case .ports, .patterns, .texts, .urls:
            return [("anyOf", .array([text, .object(list(of: text) + [("minItems", .integer(1))])]))]
        case .list(let section): return list(of: .reference(section.rawValue))
        case .mapping(let section):
            guard section == .server || section == .tunnel else { return reference(section.rawValue) }
            return [("type", .string("object"))] + reference("\(section.rawValue)Keys")
                + [("unevaluatedProperties", .boolean(false))]
        }
    }

    private static func reference(_ name: String) -> [(String, JSONValue)] {
        [("$ref", .string("#/$defs/\(name)"))]
    }

    private static func list(of item: JSONValue) -> [(String, JSONValue)] {
        [("type", .string("array")), ("items", item)]
    }

    private static func orVariable(_ members: [(String, JSONValue)]) -> [(String, JSONValue)] {
        [("anyOf", .array([.object(members), .reference("variable")]))]
    }

    private static func defaultValue(_ text: String, _ shape: ValueShape) -> JSONValue {
        switch shape {
        case .integer: Int(text).map { .integer($0) } ?? .string(text)
        case .boolean: .boolean(text == "true")
        default: .string(text)
        }
    }

    /// Keys of one group exclude each other.
    private static func exclusions(_ keys: [KeyDeclaration]) -> [(String, JSONValue)] {
        var pairs: [JSONValue] = []
        for (index, key) in keys.enumerated() where key.group != nil {
            for other in keys[(index + 1)...] where other.group == key.group {
                let both = JSONValue.array([.string(key.name), .string(other.name)])
                pairs.append(.object([("not", .object([("required", both)]))]))
            }
        }
        return pairs.isEmpty ? [] : [("allOf", .array(pairs))]
    }

    private static func anyOneRequired(_ keys: [KeyDeclaration]) -> JSONValue {
        .array(keys.map { .object([("required", .array([.string($0.name)]))]) })
    }

    private static let shapes: [(String, JSONValue)] = [
        (
            "text",
            .object([
                ("type", .array([.string("string"), .string("number"), .string("boolean")]))
            ])
        ),
        ("command", .object(list(of: .reference("text")) + [("minItems", .integer(1))])),
        (
            "duration",
            .object([
                (
                    "anyOf",
                    .array([
                        .object([("type", .string("integer")), ("minimum", .integer(0))]),
                        .object([
                            ("type", .string("string")),
                            (
                                "pattern",
                                .string(
                                    "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$|^[0-9]+$|\\$\\{")
                            ),
                        ]),
                    ])
                )
            ])
        ),
        (
            "size",
            .object([
                (
                    "anyOf",
                    .array([
                        .object([("type", .string("integer")), ("minimum", .integer(0))]),
                        .object([
                            ("type", .string("string")),
                            ("pattern", .string("^[0-9]+ *([KMGT]iB|[KkMGT]?B)?$|\\$\\{")),
                        ]),
                    ])
                )
            ])
        ),
        (
            "variable",
            .object([
                ("description", .string("A text with a variable in it.")), ("type", .string("string")),
                ("pattern", .string("\\$\\{")),
            ])
        ),
    ]
}
