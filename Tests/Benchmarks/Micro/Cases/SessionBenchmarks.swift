import NIOCore
import TunnelProtocol

private let limits = SessionLimits()
private let now = MonotonicInstant(nanoseconds: 1_000_000_000)

private func oldExchange() throws -> Operation {
    let budget = EndlessBudget()
    let server = MessageMachine(
        role: .opener, limits: limits, peer: "test", budget: budget, numbering: RequestNumbers(), now: now)
    let client = MessageMachine(
        role: .acceptor, limits: limits, peer: "test", budget: budget, numbering: nil, now: now)
    return try exchange(between: server, and: client, answerBytes: 1024)
}

private func exchange(requestBytes: Int = 0, answerBytes: Int = 1024) throws -> Operation {
    let settings = SessionSettings(maximumStreams: 0, initialWindow: 0, software: "test")
    let end = { role in
        MuxMachine(role: role, limits: limits, settings: settings, budget: EndlessBudget(), now: now)
    }
    return try exchange(
        between: end(.opener), and: end(.acceptor), requestBytes: requestBytes, answerBytes: answerBytes)
}

/// A request and its answer, all of both: from the server's `open` until both have forgotten the stream.
private func exchange<Machine: SessionMachine>(
    between opener: Machine, and acceptor: Machine, requestBytes: Int = 0, answerBytes: Int
) throws -> Operation {
    let server = SessionEnd(opener)
    let client = SessionEnd(acceptor, answer: (Texts.response(answerBytes), Texts.body(answerBytes)))
    let body = requestBytes > 0 ? Texts.body(requestBytes) : nil
    let head = requestBytes > 0 ? Texts.upload(requestBytes) : Texts.curlRequest
    let settle = {
        while server.hasSomethingToWrite || client.hasSomethingToWrite {
            try server.write(to: client)
            try client.write(to: server)
        }
    }
    try server.dealWithEvents()
    try client.dealWithEvents()
    try settle()
    try require(server.isReady && client.isReady, "the session is not ready")
    return {
        try server.request(head, body: body)
        try settle()
        try require(server.received == answerBytes, "an answer of \(server.received) bytes")
        try require(
            requestBytes == 0 || client.received == requestBytes, "a body of \(client.received) bytes")
        try require(server.streamCount == 0 && client.streamCount == 0, "the stream is still open")
    }
}

private let frames = [
    MuxFrame.request(StreamID(7), window: 256 << 10, head: Texts.curlRequest, isLast: false),
    .data(StreamID(7), Texts.body(1024), isLast: true), .window(StreamID(5), 32 << 10),
]

private func encodeMux() throws -> Operation {
    let length = frames.count * MuxFrame.headerBytes + 4 + Texts.curlRequest.readableBytes + 1024 + 4
    return {
        var message = ByteBuffer()
        message.reserveCapacity(256)
        for frame in frames { message.writeMuxFrame(frame) }
        try require(message.readableBytes == length, "\(message.readableBytes) bytes")
        blackHole(message)
    }
}

private func decodeMux() throws -> Operation {
    var message = ByteBuffer()
    for frame in frames { message.writeMuxFrame(frame) }
    let wire = message
    var decoder = MuxDecoder(maximumHeadBytes: limits.maximumHeadBytes)
    decoder.feed(wire)
    var decoded: [MuxFrame] = []
    while let frame = try decoder.next() { decoded.append(frame) }
    try require(decoded == frames, "\(decoded)")
    return {
        decoder.feed(wire)
        var count = 0
        while let frame = try decoder.next() {
            count += 1
            blackHole(frame)
        }
        try decoder.messageEnded()
        try require(count == frames.count, "\(count) frames")
    }
}

let sessionBenchmarks = [
    Benchmark(
        "mux-encode", "head of a request, 1 KiB of data and a window are written as frames",
        prepare: encodeMux),
    Benchmark("mux-decode", "the same are read", prepare: decodeMux),
    Benchmark("v2-exchange", "request and answer of 1 KiB, through both ends of a session", iterations: 100) {
        try exchange()
    },
    Benchmark("v2-upload-64KiB", "the same with a request body of 64 KiB", iterations: 50) {
        try exchange(requestBytes: 64 << 10)
    },
    Benchmark("v2-download-1MiB", "a request and an answer of 1 MiB", iterations: 10) {
        try exchange(answerBytes: 1 << 20)
    },
    Benchmark("v1-exchange", "request and answer of 1 KiB in protocol v1", iterations: 50) {
        try oldExchange()
    },
]
