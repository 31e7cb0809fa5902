/// What a value tells of itself: an object, a list, or one plain value, at the place where the text stands.
struct JSONEncoding: Encoder {
    let output: JSONOutput
    /// Of what was open before it.
    let depth: Int

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(JSONObject<Key>(output: output, depth: opened(isObject: true)))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        JSONList(output: output, depth: opened(isObject: false))
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { JSONValue(output: output) }

    /// - Returns: its depth. Who asks again goes on with the same.
    private func opened(isObject: Bool) -> Int {
        if output.text.depth == depth { output.text.open(isObject: isObject) }
        return depth + 1
    }
}

private struct JSONObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let output: JSONOutput
    let depth: Int

    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) {
        output.text.beginElement(key, at: depth)
        output.text.writeNull()
    }

    func encode(_ value: Bool, forKey key: Key) {
        output.text.beginElement(key, at: depth)
        output.text.write(value)
    }

    func encode(_ value: String, forKey key: Key) {
        output.text.beginElement(key, at: depth)
        output.text.write(value)
    }

    func encode(_ value: Double, forKey key: Key) throws {
        output.text.beginElement(key, at: depth)
        try output.text.write(value)
    }

    func encode(_ value: Float, forKey key: Key) throws {
        output.text.beginElement(key, at: depth)
        try output.text.write(value)
    }

    func encode(_ value: Int, forKey key: Key) { write(value, key) }
    func encode(_ value: Int8, forKey key: Key) { write(value, key) }
    func encode(_ value: Int16, forKey key: Key) { write(value, key) }
    func encode(_ value: Int32, forKey key: Key) { write(value, key) }
    func encode(_ value: Int64, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt8, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt16, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt32, forKey key: Key) { write(value, key) }
    func encode(_ value: UInt64, forKey key: Key) { write(value, key) }

    private func write(_ value: some FixedWidthInteger, _ key: Key) {
        output.text.beginElement(key, at: depth)
        output.text.write(whole: value)
    }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        output.text.beginElement(key, at: depth)
        try output.write(any: value)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy keyType: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        nested(key).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        nested(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        output.text.beginElement("super", at: depth)
        return JSONEncoding(output: output, depth: depth)
    }

    func superEncoder(forKey key: Key) -> any Encoder { nested(key) }

    private func nested(_ key: Key) -> JSONEncoding {
        output.text.beginElement(key, at: depth)
        return JSONEncoding(output: output, depth: depth)
    }
}

private struct JSONList: UnkeyedEncodingContainer {
    let output: JSONOutput
    let depth: Int
    private(set) var count = 0

    init(output: JSONOutput, depth: Int) { (self.output, self.depth) = (output, depth) }

    var codingPath: [any CodingKey] { [] }

    private mutating func next() -> JSONOutput {
        count += 1
        output.text.beginElement(at: depth)
        return output
    }

    mutating func encodeNil() { next().text.writeNull() }
    mutating func encode(_ value: Bool) { next().text.write(value) }
    mutating func encode(_ value: String) { next().text.write(value) }
    mutating func encode(_ value: Double) throws { try next().text.write(value) }
    mutating func encode(_ value: Float) throws { try next().text.write(value) }
    mutating func encode(_ value: Int) { next().text.write(whole: value) }
    mutating func encode(_ value: Int8) { next().text.write(whole: value) }
    mutating func encode(_ value: Int16) { next().text.write(whole: value) }
    mutating func encode(_ value: Int32) { next().text.write(whole: value) }
    mutating func encode(_ value: Int64) { next().text.write(whole: value) }
    mutating func encode(_ value: UInt) { next().text.write(whole: value) }
    mutating func encode(_ value: UInt8) { next().text.write(whole: value) }
    mutating func encode(_ value: UInt16) { next().text.write(whole: value) }
    mutating func encode(_ value: UInt32) { next().text.write(whole: value) }
    mutating func encode(_ value: UInt64) { next().text.write(whole: value) }
    mutating func encode(_ value: some Encodable) throws { try next().write(any: value) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy keyType: Nested.Type
    ) -> KeyedEncodingContainer<Nested> {
        JSONEncoding(output: next(), depth: depth).container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        JSONEncoding(output: next(), depth: depth).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { JSONEncoding(output: next(), depth: depth) }
}

private struct JSONValue: SingleValueEncodingContainer {
    let output: JSONOutput

    var codingPath: [any CodingKey] { [] }

    func encodeNil() { output.text.writeNull() }
    func encode(_ value: Bool) { output.text.write(value) }
    func encode(_ value: String) { output.text.write(value) }
    func encode(_ value: Double) throws { try output.text.write(value) }
    func encode(_ value: Float) throws { try output.text.write(value) }
    func encode(_ value: Int) { output.text.write(whole: value) }
    func encode(_ value: Int8) { output.text.write(whole: value) }
    func encode(_ value: Int16) { output.text.write(whole: value) }
    func encode(_ value: Int32) { output.text.write(whole: value) }
    func encode(_ value: Int64) { output.text.write(whole: value) }
    func encode(_ value: UInt) { output.text.write(whole: value) }
    func encode(_ value: UInt8) { output.text.write(whole: value) }
    func encode(_ value: UInt16) { output.text.write(whole: value) }
    func encode(_ value: UInt32) { output.text.write(whole: value) }
    func encode(_ value: UInt64) { output.text.write(whole: value) }
    func encode(_ value: some Encodable) throws { try output.write(any: value) }
}
