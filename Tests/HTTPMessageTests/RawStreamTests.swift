import HTTPMessage
import NIOCore
import Testing

/// How a connection of any protocol is asked for and granted.
@Suite struct RawStreamTests {
    private static func request(_ text: String) throws -> RequestHead {
        try RequestHead(whole: ByteBuffer(string: text.replacing("|", with: "\r\n")), limits: HTTPLimits())
    }

    @Test func whatIsWrittenIsReadAsIt() throws {
        var text = ByteBuffer()
        text.writeRequestHead(RawStream.request(caller: "[2001:db8::1]:40000", local: "192.0.2.1:22"))
        let head = try RequestHead(whole: text, limits: HTTPLimits())
        #expect(head.asksForRawStream)
        let endpoints = RawStream.Endpoints(head)
        #expect(endpoints.caller == "[2001:db8::1]:40000" && endpoints.local == "192.0.2.1:22")
        #expect(RawStream.Endpoints(RawStream.request(caller: "unknown", local: nil)).local == nil)
    }

    @Test(arguments: [
        "GET / HTTP/1.1|Connection: Upgrade|Upgrade: wstunnel-tcp||",
        "CONNECT * HTTP/1.1|Upgrade: wstunnel-tcp||",
        "CONNECT * HTTP/1.1|Connection: Upgrade|Upgrade: websocket||",
        "CONNECT * HTTP/1.1|Connection: Upgrade|Upgrade: wstunnel-tcp, websocket||",
        "CONNECT * HTTP/1.0|Connection: Upgrade|Upgrade: wstunnel-tcp||",
        "CONNECT example.com:443 HTTP/1.1|Host: example.com||",
    ])
    func nothingElseIsTakenForIt(text: String) throws {
        #expect(!(try Self.request(text).asksForRawStream))
    }

    @Test func theGrantIsWhatWasOffered() {
        let request = RawStream.request(caller: "192.0.2.1:1", local: nil)
        #expect(request.upgradeOffer.allows(RawStream.grant.fields))
        #expect(RawStream.grant.status == 101 && !RawStream.grant.isInterim)
    }
}
