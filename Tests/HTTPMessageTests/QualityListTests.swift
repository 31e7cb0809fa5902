import HTTPMessage
import Testing

@Suite struct QualityListTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let text: String
        /// `value quality`, in their order.
        let elements: [String]
        var testDescription: String { text }
    }

    @Test(arguments: [
        Example(text: "gzip, br;q=0.5, *;q=0", elements: ["gzip 1000", "br 500", "* 0"]),
        Example(text: " Text/Plain ; version=0.0.4 ; q=0.25 ,", elements: ["text/plain 250"]),
        Example(text: "a;q=1.000,b;q=0.123,c;q=1.", elements: ["a 1000", "b 123", "c 1000"]),
        // What makes no sense is no wish.
        Example(text: "a;q=2,b;q=-1,c;q=0.1234,d;q=x,e;q=1.5,;q=1,f", elements: ["f 1000"]),
        Example(text: "a;q", elements: ["a 1000"]), Example(text: "", elements: []),
        Example(text: ",,,", elements: []),
    ]) func elementsAreRead(example: Example) {
        #expect(QualityList(example.text).elements.map { "\($0.value) \($0.quality)" } == example.elements)
    }

    @Test func parametersAreThoseBeforeTheWeight() {
        let element = QualityList(#"a/b; Version="1.0.0";x=Y;q=0.5;ext=1"#).elements.first
        #expect(element?.parameters == ["version": "1.0.0", "x": "Y"])
    }

    @Test(arguments: [
        ("gzip", 1000), ("gzip;q=0", 0), ("*", 1000), ("*;q=0.1, gzip;q=0", 0), ("br", 0), ("", 0),
        ("deflate, GZIP;q=0.3", 300),
    ]) func aCodingIsWanted(text: String, quality: Int) {
        #expect(QualityList(text).quality(ofCoding: "gzip") == quality)
    }

    @Test func fieldsOfOneNameAreOneListAndALongOneIsCut() {
        var fields = HeaderFields()
        fields.append(named: "Accept", "a, b")
        fields.append(named: "accept", "c")
        #expect(QualityList(fields, named: "Accept").elements.map(\.value) == ["a", "b", "c"])
        #expect(QualityList(String(repeating: "a,", count: 10_000)).elements.count == 32)
    }
}
