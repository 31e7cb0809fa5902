import HTTPMessage
import NIOCore
import Testing

@testable import HTTPServing

/// What an answer's head promises of its body.
@Suite struct AnswerLengthTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var method = "GET"
        var status = 200
        var said: String?
        var isLast = false
        /// So many bytes and no others; nil when any number will do.
        let bytes: Int?
        /// What the head says then.
        let saysThen: String?
    }

    static let examples: [Example] = [
        Example(testDescription: "a length", said: "5", bytes: 5, saysThen: "5"),
        Example(testDescription: "none said", bytes: nil, saysThen: nil),
        Example(testDescription: "none said and nothing there", isLast: true, bytes: 0, saysThen: "0"),
        Example(testDescription: "HEAD", method: "HEAD", said: "5", isLast: true, bytes: 0, saysThen: "5"),
        Example(testDescription: "HEAD without a length", method: "HEAD", bytes: 0, saysThen: nil),
        Example(testDescription: "204", status: 204, isLast: true, bytes: 0, saysThen: nil),
        Example(testDescription: "204 with a length", status: 204, said: "7", bytes: 0, saysThen: nil),
        Example(testDescription: "304", status: 304, said: "7", isLast: true, bytes: 0, saysThen: "7"),
        Example(testDescription: "101", status: 101, said: "7", bytes: nil, saysThen: nil),
    ]

    @Test(arguments: examples) func headsPromiseALength(_ example: Example) throws {
        var head = ResponseHead(status: example.status)
        if let said = example.said { head.fields.append(.contentLength, said) }
        Forwarding.rewrite(&head, at: .answerToCaller)
        let length = try AnswerLength(settling: &head, toMethod: example.method, isLast: example.isLast)
        #expect(head.fields[.contentLength] == example.saysThen)
        #expect(length.isDelimited == (example.bytes != nil))
        #expect(length.isRaw == (example.status == 101))
        for count in 0...9 {
            #expect(length.accepts(count, isLast: true) == (example.bytes.map { $0 == count } ?? true))
            #expect(length.accepts(count, isLast: false) == (example.bytes.map { count <= $0 } ?? true))
        }
    }

    @Test func whatCameIsCountedDown() throws {
        var head = ResponseHead(status: 200, fields: HeaderFields([.contentLength: "5"]))
        var length = try AnswerLength(settling: &head, toMethod: "GET", isLast: false)
        length.took(2)
        #expect(!length.accepts(4, isLast: false))
        #expect(length.accepts(3, isLast: true))
        length.took(3)
        #expect(length.accepts(0, isLast: true))
        #expect(!length.accepts(1, isLast: false))
    }

    @Test(arguments: [("5", true), ("five", false), ("5, 6", false)])
    func aBodyThatCannotBeIsRefused(said: String, isLast: Bool) {
        var head = ResponseHead(status: 200, fields: HeaderFields([.contentLength: said]))
        #expect(throws: HTTPMessageError.self) {
            try AnswerLength(settling: &head, toMethod: "GET", isLast: isLast)
        }
    }
}
