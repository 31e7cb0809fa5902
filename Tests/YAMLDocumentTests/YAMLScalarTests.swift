import Testing
import YAMLDocument

@Suite struct YAMLScalarTests {
    @Test(
        arguments: [
            ("yes", true), ("Yes", true), ("YES", true), ("on", true), ("true", true), ("True", true),
            ("no", false), ("off", false), ("Off", false), ("FALSE", false),
            ("y", nil), ("n", nil), ("yEs", nil), ("tRUE", nil), ("1", nil), ("", nil),
        ] as [(String, Bool?)])
    func plainBooleansAreThoseOfYAML11(_ text: String, _ expected: Bool?) {
        #expect(YAMLScalar(text: text, style: .plain).boolean == expected)
        #expect(YAMLScalar(text: text, style: .quoted).boolean == nil)
        #expect(YAMLScalar(text: text, style: .plain, tag: .str).boolean == nil)
    }

    @Test(
        arguments: [
            ("0", 0), ("80", 80), ("-1", -1), ("+7", 7), ("0x1F", 31), ("10_000", 10_000),
            ("080", nil), ("0o17", nil), ("1.5", nil), ("1e3", nil), ("--1", nil), ("-+1", nil), ("_1", nil),
            ("1_", nil), ("0x", nil), ("0x-1", nil), ("", nil), ("+", nil), ("99999999999999999999", nil),
            ("١٢", nil),
        ] as [(String, Int?)])
    func plainIntegersAreDecimalOrHexadecimal(_ text: String, _ expected: Int?) {
        #expect(YAMLScalar(text: text, style: .plain).integer == expected)
        #expect(YAMLScalar(text: text, style: .quoted).integer == nil)
        #expect(YAMLScalar(text: text, style: .quoted, tag: .int).integer == expected)
    }

    @Test(arguments: ["", "~", "null", "Null", "NULL"])
    func onlyPlainNullsAreNull(_ text: String) {
        #expect(YAMLScalar(text: text, style: .plain).isNull)
        #expect(!YAMLScalar(text: text, style: .quoted).isNull)
        #expect(!YAMLScalar(text: text, style: .plain, tag: .str).isNull)
    }
}
