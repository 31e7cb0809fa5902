import AgentStatus
import Foundation
import TestSupport
import Testing

@testable import AdminAPI

/// What the API says of itself.
@Suite struct AdminDescriptionTests {
    private func document() throws -> [String: Any] {
        let data = Data(AdminDescription.text.utf8)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func everyOperationIsThereWithItsRole() throws {
        let document = try document()
        #expect(document["openapi"] as? String == "3.1.0")
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        var ids: Set<String> = []
        for operation in AdminOperation.all {
            let entry = paths[operation.path]?[operation.method.lowercased()]
            guard operation.audience != .controlSocket else {
                #expect(entry == nil)
                continue
            }
            let described = try #require(entry, "\(operation.method) \(operation.path)")
            ids.insert(try #require(described["operationId"] as? String))
            if case .role(let role) = operation.audience {
                #expect((described["description"] as? String)?.contains(role.rawValue) == true)
            }
            let responses = try #require(described["responses"] as? [String: Any])
            #expect(Set(responses.keys).isSuperset(of: ["4XX", "5XX"]) && responses.count > 2)
        }
        #expect(ids.count == AdminOperation.all.count { $0.audience != .controlSocket })
    }

    @Test func noTwoOperationsAreTheSame() {
        let names = AdminOperation.all.map { "\($0.method) \($0.path)" }
        #expect(Set(names).count == names.count)
    }

    /// One that cannot be described would say "anything".
    @Test func everyAnswerIsDescribed() {
        for operation in AdminOperation.all where operation.audience != .controlSocket {
            #expect(!operation.responses.isEmpty, "\(operation.path) does not say what it answers")
            for response in operation.responses {
                #expect(response.schema.map { Self.isDescribed($0) } ?? true, "\(operation.path)")
            }
            #expect(operation.body.map { Self.isDescribed($0.schema) } ?? true)
            for name in operation.captures.map(\.name) {
                #expect(operation.path.contains("{\(name)}"))
            }
        }
    }

    private static func isDescribed(_ schema: AdminSchema) -> Bool {
        switch schema {
        case .anything: false
        case .list(let element), .map(let element), .optional(let element): isDescribed(element)
        case .object(_, let members): members.allSatisfy { isDescribed($0.schema) }
        default: true
        }
    }

    struct Everything: Codable {
        enum Kind: String, Codable, CaseIterable { case one, two = "zwei" }

        var text: String
        var maybe: Int?
        var count: UInt64
        var rate: Double?
        var isSo: Bool
        var kinds: [Kind]
        var inner: [String: Inner]

        struct Inner: Codable {
            var a: Int64
        }
    }

    @Test func theSchemaIsThatOfTheType() throws {
        let inner = AdminSchema.object(
            name: "AdminDescriptionTests.Everything.Inner",
            [.init(name: "a", schema: .integer(), isRequired: true)])
        #expect(
            try AdminSchema.of(Everything.self)
                == .object(
                    name: "AdminDescriptionTests.Everything",
                    [
                        .init(name: "text", schema: .string(), isRequired: true),
                        .init(name: "maybe", schema: .integer(), isRequired: false),
                        .init(name: "count", schema: .integer(0...Int.max), isRequired: true),
                        .init(name: "rate", schema: .number, isRequired: false),
                        .init(name: "isSo", schema: .boolean, isRequired: true),
                        .init(name: "kinds", schema: .list(.choice(["one", "zwei"])), isRequired: true),
                        .init(name: "inner", schema: .map(inner), isRequired: true),
                    ]))
    }

    private enum Unlisted: String, Codable { case one }

    @Test func whatCannotBeDescribedIsAnError() {
        #expect(throws: (any Error).self) { try AdminSchema.of(Unlisted.self) }
    }

    /// What is sent is what is said.
    @Test(.timeLimit(.minutes(1))) func answersAreAsDescribed() async throws {
        let answers = FakeAgent.Answers(
            servers: [ServerSnapshot(name: "a", state: .listening, address: "127.0.0.1:1")],
            tunnels: [
                TunnelSnapshot(
                    name: "web", state: .gaveUp, server: "ws://s", tokenHint: "t...", wanted: 1,
                    lastFault: FaultSnapshot(code: .tlsFailed, message: "m", at: 1))
            ])
        try await AdminWorld(answers).run { world in
            for operation in AdminOperation.all
            where operation.method == "GET" && operation.responses.first?.mediaType == "application/json" {
                let path = operation.path.replacing("/servers/{name}", with: "/servers/a")
                    .replacing("/tunnels/{name}", with: "/tunnels/web")
                guard !path.contains("{"), operation.parameters.allSatisfy({ !$0.isRequired }) else {
                    continue
                }
                let answer = try world.ask("GET", path)
                let value = try JSONSerialization.jsonObject(
                    with: Data(answer.body), options: [.fragmentsAllowed])
                let response = try #require(operation.responses.first { $0.status == answer.status })
                #expect(
                    Self.faults(of: value, response.schema ?? .anything, path) == [],
                    "\(answer.text.prefix(500))")
            }
        }
    }

    private static func faults(of value: Any, _ schema: AdminSchema, _ place: String) -> [String] {
        switch schema {
        case .anything: return []
        case .string, .address: return value is String ? [] : ["\(place): no text"]
        case .choice(let choices):
            return (value as? String).map(choices.contains) == true ? [] : ["\(place): no choice"]
        case .integer(let range):
            guard let number = value as? Int else { return ["\(place): no integer"] }
            return range?.contains(number) != false ? [] : ["\(place): out of range"]
        case .number: return value is Double ? [] : ["\(place): no number"]
        case .always(let wanted): return value as? Bool == wanted ? [] : ["\(place): not \(wanted)"]
        case .boolean: return value is Bool ? [] : ["\(place): no boolean"]
        case .list(let element):
            guard let all = value as? [Any] else { return ["\(place): no list"] }
            return all.flatMap { faults(of: $0, element, place + "[]") }
        case .optional(let element):
            return value is NSNull ? [] : faults(of: value, element, place)
        case .nothing: return value is NSNull ? [] : ["\(place): there is something"]
        case .either(let schemas):
            let all = schemas.map { faults(of: value, $0, place) }
            return all.contains { $0.isEmpty } ? [] : all.flatMap(\.self)
        case .map(let element):
            guard let all = value as? [String: Any] else { return ["\(place): no map"] }
            return all.values.flatMap { faults(of: $0, element, place + "{}") }
        case .object(_, let members):
            guard let all = value as? [String: Any] else { return ["\(place): no object"] }
            let unknown =
                members.isEmpty ? [] : all.keys.filter { key in !members.contains { $0.name == key } }
            return unknown.map { "\(place).\($0): not described" }
                + members.flatMap { member in
                    guard let value = all[member.name] else {
                        return member.isRequired ? ["\(place).\(member.name): missing"] : []
                    }
                    return faults(of: value, member.schema, "\(place).\(member.name)")
                }
        }
    }

    /// `config/ADMIN.md` lists what there is, with who may ask.
    @Test func thePageNamesEveryOperation() throws {
        let page = URL(filePath: #filePath).appending(path: "../../../config/ADMIN.md").standardized
        let text = try String(contentsOf: page, encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }
        for operation in AdminOperation.all where operation.audience != .controlSocket {
            let row = rows.first { $0.hasPrefix("| `\(operation.method) \(operation.path)") }
            let role = if case .role(let role) = operation.audience { role.rawValue } else { "everybody" }
            #expect(row?.contains("| \(role) |") == true, "\(operation.method) \(operation.path): \(role)")
        }
        for row in rows where row.hasPrefix("| `GET /") || row.hasPrefix("| `POST /") {
            let named = row.dropFirst(3).prefix { $0 != "`" && $0 != "?" }
            #expect(
                AdminOperation.all.contains { "\($0.method) \($0.path)" == named }, "\(named) is not there")
        }
    }
}
