import Testing

@testable import TunnelProtocol

/// `PROTOCOL-V1.md` says what is written and read.
@Suite struct ProtocolV1PageTests {
    /// The example, with `|` for the end of a line.
    private func message(_ name: String) throws -> String {
        let blocks = try ProtocolPage("PROTOCOL-V1.md").blocks("message")
        #expect(blocks.keys.sorted() == ["answer", "request"])
        return try #require(blocks[name]).joined(separator: "|")
    }

    @Test func aRequestIsWrittenAndReadAsThePageSays() throws {
        let told = try message("request") + "|"
        let server = try MessageProbe(.opener)
        #expect(server.open("GET /hello HTTP/1.1|Host: origin||") != nil)
        #expect(server.written() == ["<\(told)>"])
        let client = try MessageProbe(.acceptor)
        #expect(try client.receive(told) == ["1 request GET /hello HTTP/1.1|Host: origin|| last"])
    }

    @Test func anAnswerIsWrittenAndReadAsThePageSays() throws {
        let told = try message("answer")
        let client = try MessageProbe(.acceptor)
        _ = try client.receive(try message("request") + "|")
        client.respond(StreamID(1), "HTTP/1.1 200 OK|Content-Length: 5||")
        client.send(StreamID(1), "hello")
        client.finish(StreamID(1))
        #expect(client.written() == ["<\(told)>"])
        let server = try MessageProbe(.opener)
        #expect(server.open("GET /hello HTTP/1.1|Host: origin||") != nil)
        _ = server.written()
        #expect(
            try server.receive(told) == [
                "1 response HTTP/1.1 200 OK|Content-Length: 5||", "1 data hello", "1 end",
            ])
    }
}
