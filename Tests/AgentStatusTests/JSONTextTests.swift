import AgentStatus
import Foundation
import Testing

/// Held to what the library's encoder and decoder make of the same values.
@Suite struct JSONTextTests {
    private struct Everything: Codable, Equatable {
        struct Inner: Codable, Equatable { var name: String }
        enum Kind: String, Codable { case plain = "a-b" }
        enum Shape: Codable, Equatable { case round(radius: Double), flat }

        var text = "quote \" slash / back \\ tab \t bell \u{7} null \0 line\r\n 🎉é\u{2028}"
        var empty = ""
        var yes = true
        var small: Int8 = -128
        var byte: UInt8 = 255
        var large = UInt64.max
        var least = Int64.min
        var whole = 3.0
        var part = 0.1
        var tiny = 1e-9
        var huge = 1e300
        var float: Float = 0.25
        var missing: String?
        var there: Int? = 7
        var kind = Kind.plain
        var shapes = [Shape.round(radius: 1.5), .flat]
        var inner = Inner(name: "x")
        var many = [Inner(name: "1"), Inner(name: "2")]
        var none: [Inner] = []
        var gaps: [Int?] = [1, nil, 3]
        var lists = [[1, 2], [], [3]]
        var named = ["z": 1, "a": 2, "m": 3]
        var nameless: [String: Inner] = [:]
    }

    private struct Nothing: Encodable {}

    /// Asks for its containers in ways that no synthesized code does.
    private struct Peculiar: Encodable {
        enum Key: String, CodingKey { case first, nested, list, last }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(1, forKey: .first)
            var nested = container.nestedContainer(keyedBy: Key.self, forKey: .nested)
            try nested.encode("in it", forKey: .first)
            var list = nested.nestedUnkeyedContainer(forKey: .list)
            try list.encode(1)
            var deep = list.nestedContainer(keyedBy: Key.self)
            try deep.encodeNil(forKey: .last)
            var again = encoder.container(keyedBy: Key.self)
            try again.encode(true, forKey: .last)
        }
    }

    @Test func whatIsWrittenIsReadAsTheSame() throws {
        let value = Everything()
        let read = try JSONDecoder().decode(Everything.self, from: Data(try JSONText.bytes(of: value)))
        #expect(read == value)
    }

    @Test func itIsWhatTheLibraryMakesOfIt() throws {
        let value = Everything()
        let ours = try JSONSerialization.jsonObject(with: Data(try JSONText.bytes(of: value)))
        let library = try JSONSerialization.jsonObject(with: try JSONEncoder().encode(value))
        #expect(try #require(ours as? NSDictionary) == #require(library as? NSDictionary))
    }

    @Test func theTextIsShortAndTheSameEachTime() throws {
        #expect(try JSONText.string(of: ["b": [1, 2], "a": []]) == #"{"a":[],"b":[1,2]}"#)
        #expect(try JSONText.string(of: Nothing()) == "{}")
        #expect(try JSONText.string(of: "a\u{1f}/\"\u{7f}") == #""a\u001f/\"\u007f""#)
        #expect(JSONText.quoted("a\\b") == #""a\\b""#)
        #expect(try JSONText.string(of: [1.0, 1.5, -0.25]) == "[1,1.5,-0.25]")
        #expect(try JSONText.string(of: [Int?.none]) == "[null]")
        #expect(
            try JSONText.string(of: Peculiar())
                == #"{"first":1,"nested":{"first":"in it","list":[1,{"last":null}]},"last":true}"#)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity]) func whatIsNoNumberIsNotWritten(value: Double) {
        #expect(throws: EncodingError.self) { try JSONText.bytes(of: ["x": value]) }
    }
}
