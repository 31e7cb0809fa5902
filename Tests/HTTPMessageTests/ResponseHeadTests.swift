import HTTPMessage
import NIOCore
import Testing

struct ResponseHeadTests {
    @Test(arguments: [
        ("HTTP/1.1 200 OK\nA: b\n\n", 200, "OK"), ("HTTP/1.1 200\n\n", 200, ""),
        ("HTTP/1.0 404 \n\n", 404, ""), ("HTTP/1.1 999 What  ever\t!\n\n", 999, "What  ever\t!"),
        ("HTTP/1.1 100 Continue\n\n", 100, "Continue"),
    ])
    func statusLinesAreReadAtEverySplit(text: String, status: Int, reason: String) {
        for pieces in everySplit(text.crlf) {
            guard case .values(let heads, left: "") = readResponses(pieces) else {
                Issue.record("refused")
                return
            }
            #expect(heads.map(\.status) == [status])
            #expect(heads.map(\.reason) == [reason])
        }
    }

    @Test func linesMayEndWithLFAlone() {
        for pieces in everySplit("HTTP/1.1 200 OK\nA: b\n\nbody".bytes) {
            guard case .values(let heads, left: "body") = readResponses(pieces) else {
                Issue.record("refused")
                return
            }
            #expect(heads[0].fields.first(named: "a") == "b")
        }
    }

    @Test(arguments: [
        "HTTP/1.1 20 OK\n\n", "HTTP/1.1 2000 OK\n\n", "HTTP/1.1 099 Low\n\n", "HTTP/1.1 2x0 OK\n\n",
        "HTTP/1.1  200 OK\n\n", "HTTP/1.1\n\n", "HTTP/11 200 OK\n\n", "ICY 200 OK\n\n",
        "SSH-2.0-OpenSSH_9\n\n",
        "HTTP/1.1 200 O\u{1}K\n\n", "HTTP/1.1 200 OK\nA b\n\n", "HTTP/1.1 200 OK\n folded: x\n\n",
        "<html>\n\n", "HTTP/1.1-200 OK\n\n", "HTTP/1.1 200 OK\nA: \u{8}\n\n",
    ])
    func whatIsNoResponseIsRefused(text: String) {
        for pieces in everySplit(text.crlf) { #expect(readResponses(pieces) == .refused(.malformed)) }
    }

    @Test func http2IsNotUnderstood() {
        #expect(readResponses(["HTTP/2.0 200 OK\n\n".crlf]) == .refused(.unsupportedVersion))
    }

    @Test func onlyStatusesBelow200ButFor101AreInterim() {
        #expect([100, 102, 103, 199].allSatisfy { ResponseHead(status: $0).isInterim })
        #expect([101, 200, 204, 304, 500].allSatisfy { !ResponseHead(status: $0).isInterim })
    }

    @Test func headsSurviveARoundTrip() {
        var buffer = ByteBuffer()
        let head = ResponseHead(status: 426, fields: HeaderFields([.connection: "close", .date: "today"]))
        buffer.writeResponseHead(head)
        #expect(
            String(buffer: buffer)
                == "HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nDate: today\r\n\r\n")
        #expect(readResponses([buffer.readableBytesView]) == .values([head], left: ""))
    }
}
