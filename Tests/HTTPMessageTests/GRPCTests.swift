import HTTPMessage
import Testing

/// Answers of our own to those who speak gRPC.
@Suite struct GRPCTests {
    @Test(arguments: [
        ("application/grpc", true), ("application/grpc+proto", true), ("Application/GRPC-Web-Text", true),
        ("application/json", false), ("application/grpcfoo", false), ("application/grpc; a=b", true),
        ("application/gr", false), ("", false),
    ])
    func itIsKnownByItsContentType(type: String, isIt: Bool) {
        #expect((GRPC.type(of: HeaderFields([.contentType: type])) != nil) == isIt)
        #expect(GRPC.type(of: HeaderFields()) == nil)
    }

    @Test(arguments: [
        (400, "13"), (401, "16"), (403, "7"), (404, "14"), (413, "8"), (429, "14"), (501, "12"), (502, "14"),
        (503, "14"), (504, "14"), (506, "2"),
    ])
    func aStatusBecomesItsCode(status: Int, code: String) {
        let request = HeaderFields([.contentType: "application/grpc+proto"])
        let answer = OwnAnswer(status, line: "100 % não").spoken(to: request)
        #expect(answer.status == 200 && answer.text.isEmpty)
        #expect(answer.fields.first(named: "grpc-status") == code)
        #expect(answer.fields.first(named: "grpc-message") == "100 %25 n%C3%A3o")
        #expect(answer.fields[.contentType] == "application/grpc+proto")
    }

    @Test func othersGetWhatTheyGot() {
        let answer = OwnAnswer(502, line: "no")
        #expect(answer.spoken(to: HeaderFields([.contentType: "text/plain"])) == answer)
        #expect(
            OwnAnswer(200, line: "x").spoken(to: HeaderFields([.contentType: "application/grpc"])).text
                == "x\n")
    }
}
