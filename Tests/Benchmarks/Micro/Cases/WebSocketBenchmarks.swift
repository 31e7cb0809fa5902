import NIOCore
import TunnelProtocol

private let mask = WebSocketMask(random: 0x9f3a_51c7)

private func frame(_ payload: ByteBuffer) -> ByteBuffer {
    var frame = FrameBuffer(capacity: payload.readableBytes)
    frame.buffer.writeImmutableBuffer(payload)
    return frame.finished(as: .message(isFirst: true, isLast: true), mask: mask)
}

private func decoding(_ size: Int) throws -> Operation {
    let payload = Texts.body(size)
    let wire = frame(payload)
    var decoder = WebSocketDecoder(expectsMask: true, maximumMessageBytes: 1 << 20)
    var input = wire
    try require(try decoder.next(&input) == .message(payload, isLast: true), "the payload")
    return {
        var input = wire
        guard case .message(let bytes, true)? = try decoder.next(&input) else {
            throw WrongResult(description: "no message")
        }
        try require(bytes.readableBytes == size && input.readableBytes == 0, "the length")
        blackHole(bytes)
    }
}

private func encoding(_ size: Int) throws -> Operation {
    let payload = Texts.body(size)
    let expected = frame(payload).readableBytes
    _ = try decoding(size)
    return {
        let frame = frame(payload)
        try require(frame.readableBytes == expected, "the length")
        blackHole(frame)
    }
}

let webSocketBenchmarks = [
    Benchmark("websocket-decode-100B", "a masked frame of 100 bytes is read") { try decoding(100) },
    Benchmark("websocket-decode-64KiB", "a masked frame of 64 KiB is read") { try decoding(64 << 10) },
    Benchmark("websocket-encode-100B", "a masked frame of 100 bytes is written") { try encoding(100) },
    Benchmark("websocket-encode-64KiB", "a masked frame of 64 KiB is written") { try encoding(64 << 10) },
]
