import NIOCore
import Testing

@testable import HTTPMessage

struct FieldNameTests {
    static let known = FieldName.allCases.filter { $0 != .other }

    /// Holds that length and first letter tell the names apart.
    @Test(arguments: known) func everyNameIsRecognisedInAnyCase(name: FieldName) {
        let text = "\(name.text)"
        for spelling in [text, text.uppercased(), text.lowercased()] {
            #expect(recognised(spelling) == name)
        }
        for near in [text + "x", String(text.dropLast()), text.dropLast() + "_", "_" + text.dropFirst()] {
            #expect(recognised(near) != name)
        }
    }

    @Test(arguments: ["", "x", "Accept", "\u{14}E", "HOSt\0", "@ost", "hos\u{54}", "TRANSFER_ENCODING"])
    func otherNamesAreOther(name: String) {
        #expect(recognised(name) == (name.lowercased() == "host" ? .host : .other))
    }

    @Test func namesAreDistinct() {
        #expect(Set(Self.known.map { "\($0.text)".lowercased() }).count == Self.known.count)
    }

    private func recognised(_ name: String) -> FieldName {
        Array(name.utf8).withUnsafeBytes { FieldName($0) }
    }
}

struct HeaderFieldsTests {
    private func parse(_ lines: String) throws -> HeaderFields {
        guard case .values(let heads, _) = readRequests(["GET / HTTP/1.1\n\(lines)\n".crlf]) else {
            throw HTTPMessageError(.malformed, "refused")
        }
        return try #require(heads.first).fields
    }

    private func text(_ fields: HeaderFields) -> String {
        var buffer = ByteBuffer()
        fields.write(to: &buffer)
        return String(buffer: buffer)
    }

    @Test func bytesBeyondASCIIPassUnchanged() {
        let value: [UInt8] = [0xe9, 0x80, 0xff, 0x20, 0xc3, 0x28]
        let bytes = "GET / HTTP/1.1\r\nX-Name: ".bytes + value + "\r\n\r\n".bytes
        guard case .values(let heads, _) = readRequests([bytes]) else {
            Issue.record("refused")
            return
        }
        var output = ByteBuffer()
        output.writeRequestHead(heads[0])
        #expect(Array(output.readableBytesView) == bytes)
        var fields = heads[0].fields
        fields.append(.date, "today")
        output.clear()
        fields.write(to: &output)
        #expect(Array(output.readableBytesView) == "X-Name: ".bytes + value + "\r\nDate: today\r\n".bytes)
    }

    @Test func orderSpellingAndRepetitionsAreKept() throws {
        let fields = try parse("b: 1\nSet-Cookie: a=1\nB: 2\nset-cookie: b=2\n")
        #expect(text(fields) == "b: 1\r\nSet-Cookie: a=1\r\nB: 2\r\nset-cookie: b=2\r\n")
        #expect(fields.count == 4)
        #expect(fields.first(named: "SET-COOKIE") == "a=1")
    }

    private static let notTrailers = """
        X-Sum: 1
        Content-Length: 5
        host: b
        Authorization: Basic Og==
        X-Token: t
        X-HOST: http://a
        X-Tunnel-Authorization: Basic Og==
        Transfer-Encoding: chunked
        Connection: X-Own
        X-Own: 2
        X-Last: 3

        """

    @Test func whatMeansSomethingInAHeadIsNoTrailer() throws {
        #expect(try String(buffer: parse(Self.notTrailers).trailerLines) == "X-Sum: 1\r\nX-Last: 3\r\n")
        let lines = ByteBuffer(string: Self.notTrailers.replacing("\n", with: "\r\n"))
        #expect(try text(HeaderFields(trailerLines: lines)) == "X-Sum: 1\r\nX-Last: 3\r\n")
    }

    @Test func fieldsCanBeCountedAndRemoved() throws {
        var fields = try parse("Host: a\nX-Token: s\nX-Rest: r\nHOST: b\n")
        #expect(fields.count(of: .host) == 2)
        #expect(fields.values(.host) == ["a", "b"])
        #expect(fields[.host] == "a")
        fields.remove([.xToken, .xHost])
        #expect(text(fields) == "Host: a\r\nX-Rest: r\r\nHOST: b\r\n")
        fields.remove(.host)
        #expect(!fields.contains(.host))
        #expect(!fields.isEmpty)
    }

    @Test func copiesDoNotShareChanges() throws {
        let original = try parse("Host: a\n")
        var copy = original
        copy.append(.date, "x")
        copy.append(named: "X-Y", "z")
        var other = original
        other.append(.expect, "100-continue")
        #expect(text(original) == "Host: a\r\n")
        #expect(text(copy) == "Host: a\r\nDate: x\r\nX-Y: z\r\n")
        #expect(text(other) == "Host: a\r\nExpect: 100-continue\r\n")
    }

    @Test func fieldsOfOneHopAreRemoved() throws {
        var fields = try parse(
            """
            Host: a
            Connection: keep-alive, X-Mine ,,\tx-YOURS
            connection: Foo
            Keep-Alive: timeout=5
            Proxy-Authenticate: x
            Proxy-Authorization: x
            Proxy-Connection: x
            TE: trailers
            Trailer: X-Sum
            Transfer-Encoding: chunked
            Upgrade: h2c
            X-Mine: 1
            x-mine: 2
            X-Yours: 3
            FOO: 4
            X-Mine-Too: 5
            Accept: 6

            """)
        fields.removeHopByHop()
        #expect(text(fields) == "Host: a\r\nX-Mine-Too: 5\r\nAccept: 6\r\n")
    }

    @Test func connectionCannotTakeOutWhatFramesOrAddresses() throws {
        var fields = try parse("Connection: Host, Content-Length, X-A\nHost: a\nContent-Length: 3\nX-A: 1\n")
        fields.removeHopByHop()
        #expect(text(fields) == "Host: a\r\nContent-Length: 3\r\n")
    }

    @Test(arguments: [
        ("close", true), ("Close", true), ("keep-alive,close", true), (" , close ,", true), ("closed", false),
        ("clos", false), ("close;q=1", false), ("", false), ("\"close\"", false),
    ])
    func listElementsAreWholeTokens(value: String, expected: Bool) throws {
        #expect(try parse("Connection: \(value)\n").list(.connection, contains: "close") == expected)
    }

    @Test func appendedFieldsAreFoundInLists() {
        var fields = HeaderFields()
        fields.append(named: "CONNECTION", "a, upgrade")
        #expect(fields.list(.connection, contains: "Upgrade"))
    }
}

struct BasicAuthorizationTests {
    @Test(arguments: [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), ("", "", "Basic Og=="),
        ("a", "b:c", "Basic YTpiOmM="), ("test", "123\u{a3}", "Basic dGVzdDoxMjPCow=="),
    ])
    func credentialsSurviveARoundTrip(user: String, password: String, value: String) throws {
        #expect(BasicAuthorization.encode(user: user, password: password) == value)
        let decoded = try #require(BasicAuthorization.decode(value))
        #expect(decoded == (user, password))
    }

    @Test(arguments: [
        "", "Basic", "Basic ", "Bearer Og==", "Basic Og=", "Basic Og", "Basic !!!!", "Basic YWJj",
        "Basic /w==", "Basic Og==Og==",
    ])
    func everythingElseIsNil(value: String) {
        #expect(BasicAuthorization.decode(value) == nil)
    }
}
