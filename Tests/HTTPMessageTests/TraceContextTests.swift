import HTTPMessage
import Testing

/// `traceparent` and `tracestate` (W3C Trace Context, level 2).
@Suite struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"
    private static let plain = "00-\(trace)-\(span)-01"

    @Test func aParentIsReadAndWritten() throws {
        let context = try #require(TraceContext(Self.plain))
        #expect(context.traceHigh == 0x4bf9_2f35_77b3_4da6)
        #expect(context.traceLow == 0xa3ce_929d_0e0e_4736)
        #expect(context.spanID == 0x00f0_67aa_0ba9_02b7)
        #expect(context.isSampled && !context.isRandom)
        #expect(context.text == Self.plain)
        #expect(context.traceID == Self.trace)
        #expect(TraceContext.text(ofSpan: context.spanID) == Self.span)
    }

    /// Flags that nobody has defined are not passed on (§4.3).
    @Test(arguments: [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("08", "00")])
    func flagsThatAreKnownStay(came: String, goes: String) throws {
        let context = try #require(TraceContext("00-\(Self.trace)-\(Self.span)-\(came)"))
        #expect(context.text == "00-\(Self.trace)-\(Self.span)-\(goes)")
    }

    @Test(arguments: ["", "-", "-more", "-more-and-more"])
    func ofALaterVersionTheStartIsRead(rest: String) throws {
        let context = try #require(TraceContext("cc-\(Self.trace)-\(Self.span)-03\(rest)"))
        #expect(context.text == "00-\(Self.trace)-\(Self.span)-01")
    }

    private static let malformed: [String] = [
        "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-", "00-\(trace)-\(span)-1",
        // More than version 00 has.
        "00-\(trace)-\(span)-01-", "00-\(trace)-\(span)-01-what", "00-\(trace)-\(span)-011",
        // A version that there is not, and rests that are none.
        "ff-\(trace)-\(span)-01", "cc-\(trace)-\(span)-01.what", "cc-\(trace)-\(span)-0",
        "0-\(trace)-\(span)-01",
        // Ids of zeros.
        "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01",
        // Digits.
        "00-\(trace.uppercased())-\(span)-01", "00-\(trace)-\(span.uppercased())-01",
        "0A-\(trace)-\(span)-01",
        "00-\(trace)-\(span)-0A", "0x-\(trace)-\(span)-01", "00-ę\(trace.dropFirst(2))-\(span)-01",
        "00-\(trace.dropLast())g-\(span)-01", "00-\(trace)-\(span.dropLast())/-01", "00-\(trace)-\(span)-0:",
        // Dashes.
        "00_\(trace)-\(span)-01", "00-\(trace)_\(span)-01", "00-\(trace)-\(span)_01",
        " 00-\(trace)-\(span)-01",
        "00-\(trace)-\(span)-01 ", "\(plain),\(plain)",
    ]

    @Test(arguments: malformed)
    func whatIsMalformedIsNone(text: String) {
        #expect(TraceContext(text) == nil)
    }

    @Test func anyOtherByteMakesItNone() {
        let bytes = Array(Self.plain.utf8)
        for index in bytes.indices {
            for byte in [0, 0x20, 0x2f, 0x3a, 0x40, 0x47, 0x60, 0x67, 0x80, 0xff] as [UInt8] {
                var broken = bytes
                broken[index] = byte
                #expect(broken.withUnsafeBytes { TraceContext($0) } == nil, "\(byte) at \(index)")
            }
        }
    }

    // MARK: Fields

    private static func fields(_ lines: [(FieldName, String)]) -> HeaderFields {
        var fields = HeaderFields()
        for (name, value) in lines { fields.append(name, value) }
        return fields
    }

    @Test func twoParentsAreNone() {
        #expect(Self.fields([(.traceparent, Self.plain)]).traceContext != nil)
        #expect(Self.fields([(.traceparent, Self.plain), (.traceparent, Self.plain)]).traceContext == nil)
        #expect(Self.fields([(.tracestate, Self.plain)]).traceContext == nil)
    }

    @Test func anotherSpanTakesThePlace() throws {
        var fields = Self.fields([
            (.host, "a"), (.tracestate, "b=1,c=2"), (.traceparent, Self.plain), (.tracestate, "d=3"),
        ])
        let ours = try #require(fields.traceContext?.sent(by: 0xabc, isSampled: true))
        fields.setTraceContext(ours, keepsState: true)
        #expect(fields.values(.traceparent) == ["00-\(Self.trace)-0000000000000abc-01"])
        #expect(fields.values(.tracestate) == ["b=1,c=2", "d=3"])
        fields.setTraceContext(ours, keepsState: false)
        #expect(!fields.contains(.tracestate))
        #expect(fields.count == 2)
    }

    private static func text(_ letter: Character, _ count: Int) -> String {
        String(repeating: letter, count: count)
    }

    private static let states: [(members: [String], goes: String?)] = {
        let most = [String](repeating: "a=1", count: 32)
        let long = "a=" + text("x", 127)
        let longer = "b=" + text("y", 382)
        let equal = (0..<6).map { (number: Int) -> String in "k\(number)=" + text("v", 97) }
        return [
            (most, most.joined(separator: ",")),
            // Too many.
            (most + ["b=1"], nil),
            ([], nil),
            // Of 514 bytes: a long one goes.
            ([long, longer], long),
            (equal, equal.dropLast().joined(separator: ",")),
        ]
    }()

    @Test(arguments: states.indices)
    func theStateIsBounded(index: Int) throws {
        let (members, goes) = Self.states[index]
        var fields = Self.fields([
            (.traceparent, Self.plain), (.tracestate, members.joined(separator: ",")),
        ])
        let context = try #require(fields.traceContext)
        fields.setTraceContext(context, keepsState: true)
        #expect(fields[.tracestate] == goes)
    }

    // MARK: Ids

    @Test func idsDifferAndAreNeverZero() {
        var random = SystemRandomNumberGenerator()
        var ids = TraceIDs(using: &random)
        var other = TraceIDs(using: &random)
        let spans = (0..<10_000).map { _ in ids.span() } + (0..<10_000).map { _ in other.span() }
        #expect(Set(spans).count == spans.count)
        #expect(!spans.contains(0))
        // Of zeros alone nothing but zeros would come.
        var zeros = TraceIDs(seed: (0, 0, 0, 0))
        #expect(Set((0..<100).map { _ in zeros.next() }).count > 90)
    }

    /// The generator is the one that it says: values of the authors' program.
    @Test func theGeneratorIsXoshiro() {
        var ids = TraceIDs(seed: (1, 2, 3, 4))
        #expect(
            (0..<4).map { _ in ids.next() } == [
                41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386,
            ])
    }
}
