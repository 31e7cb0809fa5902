import Testing

@testable import TunnelProtocol

/// The four digits before each message.
@Suite struct RequestNumberTests {
    @Test func everyNumberIsReadAsItWasWritten() {
        for number in 0..<RequestNumber.modulus {
            let text = RequestNumber.text(number)
            let isPlain = text.utf8.count == 4 && RequestNumber.parse(text.utf8) == number
            if !isPlain { Issue.record("\(number) is written as \(text)") }
        }
    }

    @Test(arguments: [(0, "0000"), (1, "0001"), (0xab, "00ab"), (0x7cff, "7cff")])
    func aNumberHasFourLowerCaseDigits(_ number: UInt16, _ text: String) {
        #expect(RequestNumber.text(number) == text)
    }

    @Test(arguments: [
        "", "0", "000", "00001", "000G", "000A", "ABCD", "-001", "+001", " 001", "0x01", "00 1", "000\0",
        "0:00", "0`00", "0/00", "é00",
    ])
    func anythingElseIsNoNumber(_ text: String) {
        #expect(RequestNumber.parse(text.utf8) == nil)
    }
}
