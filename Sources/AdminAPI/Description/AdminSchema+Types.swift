// What the JSON of a type looks like is found out by decoding one out of nothing: whatever its `init(from:)` asks for is
// answered, and noted. So the description cannot say anything else than the type.
extension AdminSchema {
    /// - Throws: for types that take no value they were not made with, such as an enumeration that does not list its cases.
    static func of<Value: Decodable>(_ type: Value.Type) throws -> AdminSchema { try sample(type).schema }

    /// The same with a value of the type.
    fileprivate static func sample<Value: Decodable>(
        _ type: Value.Type
    ) throws -> (schema: AdminSchema, value: Value) {
        if let plain = plain(type) { return plain }
        if let listing = type as? any CaseIterable.Type, let cases = cases(of: listing, as: type),
            let first = cases.values.first
        {
            return (.choice(cases.names), first)
        }
        let notes = Notes()
        let value = try Value(from: SchemaDecoder(notes: notes))
        return (notes.schema(named: name(of: type)), value)
    }

    private static func plain<Value>(_ type: Value.Type) -> (AdminSchema, Value)? {
        let values: [(AdminSchema, Any)] = [
            (.string(), ""), (.boolean, false), (.number, Double(0)), (.number, Float(0)), (.integer(), 0),
            (.integer(), Int64(0)), (.integer(), Int32(0)), (.integer(0...Int.max), UInt(0)),
            (.integer(0...Int.max), UInt64(0)), (.integer(0...Int.max), UInt32(0)),
            (.integer(0...Int.max), UInt16(0)), (.integer(0...Int.max), UInt8(0)),
        ]
        for (schema, value) in values {
            if let value = value as? Value { return (schema, value) }
        }
        return nil
    }

    private static func cases<Listing: CaseIterable, Value>(
        of listing: Listing.Type, as type: Value.Type
    ) -> (names: [String], values: [Value])? {
        let all = Array(Listing.allCases)
        let names = all.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
        guard names.count == all.count else { return nil }
        return (names, all.compactMap { $0 as? Value })
    }

    /// Without its module.
    private static func name<Value>(of type: Value.Type) -> String {
        String(reflecting: type).split(separator: ".").dropFirst().joined(separator: ".")
    }
}

/// What a type asked for.
private final class Notes {
    var members: [AdminSchema.Member] = []
    /// Keys that may be missing.
    var optional: Set<String> = []
    var element: AdminSchema?
    var isMap = false
    var alone: AdminSchema?

    func schema(named name: String) -> AdminSchema {
        if let alone { return alone }
        if isMap { return .map(members.first?.schema ?? .anything) }
        if let element { return .list(element) }
        return .object(name: name, members)
    }
}

private struct SchemaDecoder: Decoder {
    let notes: Notes
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(NotedMembers<Key>(notes: notes))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { NotedElements(notes: notes) }

    func singleValueContainer() -> any SingleValueDecodingContainer { NotedValue(notes: notes) }
}

private struct NotedMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let notes: Notes
    var codingPath: [any CodingKey] { [] }

    /// Only who does not know its keys asks for them.
    var allKeys: [Key] {
        notes.isMap = true
        return Key(stringValue: "name").map { [$0] } ?? []
    }

    func contains(_ key: Key) -> Bool { true }

    /// Only asked where there may be none.
    func decodeNil(forKey key: Key) -> Bool {
        notes.optional.insert(key.stringValue)
        return false
    }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        let (schema, value) = try AdminSchema.sample(type)
        notes.members.append(
            AdminSchema.Member(
                name: key.stringValue, schema: schema, isRequired: !notes.optional.contains(key.stringValue)))
        return value
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> { throw UndescribedType() }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        throw UndescribedType()
    }

    func superDecoder() throws -> any Decoder { throw UndescribedType() }

    func superDecoder(forKey key: Key) throws -> any Decoder { throw UndescribedType() }
}

/// A list of one.
private struct NotedElements: UnkeyedDecodingContainer {
    let notes: Notes
    var codingPath: [any CodingKey] { [] }
    var count: Int? { nil }
    var currentIndex = 0
    var isAtEnd: Bool { currentIndex > 0 }

    init(notes: Notes) { self.notes = notes }

    mutating func decodeNil() -> Bool { false }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        currentIndex += 1
        let (schema, value) = try AdminSchema.sample(type)
        notes.element = schema
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> { throw UndescribedType() }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw UndescribedType() }

    mutating func superDecoder() throws -> any Decoder { throw UndescribedType() }
}

private struct NotedValue: SingleValueDecodingContainer {
    let notes: Notes
    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { false }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let (schema, value) = try AdminSchema.sample(type)
        notes.alone = schema
        return value
    }
}

/// A type that reads its JSON by other means than one container.
private struct UndescribedType: Error {}
