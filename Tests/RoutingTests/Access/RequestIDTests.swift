import HTTPMessage
import Routing
import Testing

@Suite struct RequestIDTests {
    private static func id(_ value: String?, isPeerTrusted: Bool) -> String {
        var fields = HeaderFields()
        if let value { fields.append(named: "x-request-ID", value) }
        return RequestID.of(fields, isPeerTrusted: isPeerTrusted, random: (0x0123_4567_89ab_cdef, 0xf))
    }

    private static let made = "0123456789abcdef000000000000000f"

    @Test func strangersDoNotNameTheirRequests() {
        #expect(Self.id(nil, isPeerTrusted: false) == Self.made)
        #expect(Self.id("mine", isPeerTrusted: false) == Self.made)
    }

    @Test func trustedProxiesDo() {
        #expect(Self.id("Aa0-_.:+/=@", isPeerTrusted: true) == "Aa0-_.:+/=@")
        #expect(Self.id(nil, isPeerTrusted: true) == Self.made)
    }

    @Test(arguments: ["", "a b", "a\"b", "a,b", "ü", String(repeating: "a", count: 129)])
    func whatLogsCouldNotTakeIsReplaced(_ name: String) {
        #expect(Self.id(name, isPeerTrusted: true) == Self.made)
    }
}
