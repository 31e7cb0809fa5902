import HTTPMessage
import NIOCore

private func readRequest(_ text: ByteBuffer, fieldCount: Int) throws -> Operation {
    var reader = RequestHeadReader()
    try require(
        text.written(RequestHead(whole: text, limits: HTTPLimits())), "not the same when written again")
    return {
        var input = text
        guard let head = try reader.next(&input) else { throw WrongResult(description: "no head") }
        try require(
            head.fields.count == fieldCount && input.readableBytes == 0, "\(head.fields.count) fields")
        blackHole(head)
    }
}

private func readResponse() throws -> Operation {
    let text = Texts.response(1024)
    var reader = ResponseHeadReader()
    return {
        var input = text
        guard let head = try reader.next(&input) else { throw WrongResult(description: "no head") }
        let framing = try head.bodyFraming(requestMethod: "GET")
        try require(head.status == 200 && head.fields.count == 8 && framing == .length(1024), "\(head)")
        blackHole(head)
    }
}

private func writeRequest() throws -> Operation {
    let text = Texts.browserRequest
    let head = try RequestHead(whole: text, limits: HTTPLimits())
    try require(text.written(head), "not the same when written again")
    return {
        var output = ByteBuffer()
        output.writeRequestHead(head)
        try require(output.readableBytes == text.readableBytes, "\(output.readableBytes) bytes")
        blackHole(output)
    }
}

private func filterFields() throws -> Operation {
    let head = try RequestHead(whole: Texts.browserRequest, limits: HTTPLimits())
    return {
        var fields = head.fields
        Forwarding.rewrite(&fields, at: .requestIntoTunnel)
        try require(fields.count == head.fields.count - 2, "\(fields.count) fields are left")
        blackHole(fields)
    }
}

extension ByteBuffer {
    fileprivate func written(_ head: RequestHead) -> Bool {
        var output = ByteBuffer()
        output.writeRequestHead(head)
        return output == self
    }
}

let headBenchmarks = [
    Benchmark("request-head-curl", "the head that curl sends is read") {
        try readRequest(Texts.curlRequest, fieldCount: 4)
    },
    Benchmark("request-head-browser", "the head that a browser sends is read") {
        try readRequest(Texts.browserRequest, fieldCount: 17)
    },
    Benchmark("response-head", "the head that nginx sends is read, and its framing", prepare: readResponse),
    Benchmark("request-head-write", "a browser's head is written", prepare: writeRequest),
    Benchmark(
        "header-filter", "hop-by-hop fields and X-Token go from a browser's head", prepare: filterFields),
]
