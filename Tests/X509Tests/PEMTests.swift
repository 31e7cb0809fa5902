import Testing
import X509

@Suite struct PEMTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let text: String
        let line: Int
        let code: PEMError.Code
        let message: String
        var testDescription: String { text.debugDescription }

        init(_ text: String, _ line: Int, _ code: PEMError.Code, _ message: String) {
            self.text = text
            self.line = line
            self.code = code
            self.message = message
        }
    }

    @Test(arguments: ["\n", "\r\n", "\r"], ["", "\u{feff}"])
    func blocksAreFoundBetweenText(_ end: String, _ mark: String) throws {
        let lines = [
            "-----BEGIN A B-----", "AAEC", " Aw==", "-----END A B-----", "subject=CN=x", "--- text ---", "",
            "-----BEGIN X-----  ", "", "/+8=", "-----END X-----",
        ]
        let expected = [("A B", [0, 1, 2, 3] as [UInt8], 1), ("X", [0xff, 0xef], 8)]
        for tail in ["", end, end + end, end + "text"] {
            let blocks = try PEM.blocks(in: Array((mark + lines.joined(separator: end) + tail).utf8))
            #expect(blocks.map(\.label) == expected.map(\.0))
            #expect(blocks.map(\.bytes) == expected.map(\.1))
            #expect(blocks.map(\.line) == expected.map(\.2))
        }
    }

    @Test(arguments: ["", "\n\n", "text without blocks", "\u{feff}", "- -----BEGIN X-----"])
    func aFileWithoutBlocksHasNone(_ text: String) throws {
        #expect(try PEM.blocks(in: text.utf8).isEmpty)
    }

    @Test func headerFieldsAreSkipped() throws {
        let text = """
            -----BEGIN RSA PRIVATE KEY-----
            Proc-Type: 4,ENCRYPTED
            DEK-Info: AES-256-CBC,00
              folded

            AAEC
            -----END RSA PRIVATE KEY-----
            -----BEGIN ENCRYPTED PRIVATE KEY-----
            AAEC
            -----END ENCRYPTED PRIVATE KEY-----
            -----BEGIN PRIVATE KEY-----
            AAEC
            -----END PRIVATE KEY-----
            """
        let blocks = try PEM.blocks(in: text.utf8)
        #expect(blocks.map(\.isEncrypted) == [true, true, false])
        #expect(blocks.map(\.bytes) == Array(repeating: [0, 1, 2], count: 3))
    }

    static let faults = [
        Example("text\n-----BEGIN X-----\nAAEC\n", 2, .nesting, "BEGIN X without END X: the file is cut off"),
        Example("-----END X-----", 1, .nesting, "END X without BEGIN X"),
        Example(
            "-----BEGIN X-----\nAAEC\n-----BEGIN Y-----", 3, .nesting,
            "BEGIN Y before END X of the block that begins in line 1"),
        Example(
            "\n-----BEGIN X-----\nAAEC\n-----END Y-----", 4, .nesting,
            "END Y ends the block X that begins in line 2"),
        Example(
            "-----BEGIN X----\nAAEC", 1, .marker,
            "no sound marker: write -----BEGIN CERTIFICATE----- or the like, alone on its line"),
        Example(
            "-----BEGIN X-----\nAAEC-----END X-----\n", 2, .base64, "in the block X stands what is no Base64"),
        Example(
            "-----BEGIN X-----AAEC-----END X-----", 1, .marker,
            "no sound marker: write -----BEGIN CERTIFICATE----- or the like, alone on its line"),
        Example(
            "-----BEGIN X-----\nAAEC\n-----END", 3, .marker,
            "no sound marker: write -----END CERTIFICATE----- or the like, alone on its line"),
        Example(
            "  -----BEGIN X-----\nAAEC", 1, .marker,
            "the marker is indented, and would be overlooked: take away the space before it"),
        Example("-----BEGIN X-----\nAA\u{e9}C\n", 2, .base64, "in the block X stands what is no Base64"),
        Example("-----BEGIN X-----\nAA==\nAAEC\n", 3, .base64, "in the block X stands what is no Base64"),
        Example("-----BEGIN X-----\nA===\n", 2, .base64, "in the block X stands what is no Base64"),
        Example("-----BEGIN X-----\nAA=A\n", 2, .base64, "in the block X stands what is no Base64"),
        Example("-----BEGIN X-----\nAA_-\n", 2, .base64, "in the block X stands what is no Base64"),
        Example("-----BEGIN X-----\n\0AAA\n", 2, .base64, "in the block X stands what is no Base64"),
        Example(
            "-----BEGIN X-----\nAAE\n-----END X-----", 3, .base64,
            "the Base64 of the block X is not whole: a part of it is missing"),
        Example(
            "-----BEGIN X-----\nAAF=\n-----END X-----", 3, .base64,
            "the Base64 of the block X is not whole: a part of it is missing"),
        Example("-----BEGIN X-----\n-----END X-----", 1, .empty, "the block X holds nothing"),
        Example("-----BEGIN X-----\na: b\n-----END X-----", 1, .empty, "the block X holds nothing"),
    ]

    @Test(arguments: faults) func faultsSayWhereAndWhat(_ example: Example) throws {
        let error = try #require(throws: PEMError.self) { try PEM.blocks(in: example.text.utf8) }
        #expect(error.line == example.line)
        #expect(error.code == example.code)
        #expect(error.message == example.message)
        #expect(error.description == "line \(example.line): \(example.message)")
    }
}
