import HTTPMessage
import NIOCore

private let chunkBytes = 4096
private let chunkCount = 16

private func decodeChunks() throws -> Operation {
    var text = ByteBuffer()
    for _ in 0..<chunkCount {
        text.writeChunkSize(chunkBytes)
        text.writeImmutableBuffer(Texts.body(chunkBytes))
        text.writeStaticString("\r\n")
    }
    text.writeLastChunk(trailers: nil)
    let wire = text
    return {
        var input = wire
        var decoder = BodyDecoder(.chunked)
        var (count, isOver) = (0, false)
        while let part = try decoder.next(&input) {
            switch part {
            case .bytes(let bytes): count += bytes.readableBytes
            case .end: isOver = true
            }
            blackHole(part)
        }
        try require(isOver && count == chunkBytes * chunkCount, "\(count) bytes")
    }
}

/// What the tunnel client does for a request: the bytes for the origin.
private func encodeForOrigin() throws -> Operation {
    let head = try RequestHead(whole: Texts.browserRequest, limits: HTTPLimits())
    return {
        let framing = try head.bodyFraming()
        let request = try OutgoingRequest(head, framing: framing, authority: "127.0.0.1:8080")
        var output = Output()
        output.appendHead(request)
        try require(RequestBody(request.framing).isWhole && output.count > 700, "\(output.count) bytes")
        blackHole(output)
    }
}

private func parseFromOrigin() throws -> Operation {
    var text = Texts.response(1024)
    text.writeImmutableBuffer(Texts.body(1024))
    let wire = text
    return {
        var parser = ResponseParser(method: "GET", upgrade: UpgradeOffer())
        parser.feed(wire)
        var (count, isOver) = (0, false)
        while let event = try parser.next() {
            switch event {
            case .head(let head, let framing): try require(framing == .length(1024), "\(head)")
            case .bytes(let bytes): count += bytes.readableBytes
            case .end: isOver = true
            }
            blackHole(event)
        }
        let end = parser.ended()
        try require(isOver && count == 1024 && end.allowsReuse, "\(count) bytes")
    }
}

let messageBenchmarks = [
    Benchmark(
        "body-chunked-64KiB", "a body of 16 chunks of 4 KiB is read", iterations: 100, prepare: decodeChunks),
    Benchmark("origin-request", "a browser's request is written for an origin", prepare: encodeForOrigin),
    Benchmark("origin-response", "an origin's answer of 1 KiB is read", prepare: parseFromOrigin),
]
