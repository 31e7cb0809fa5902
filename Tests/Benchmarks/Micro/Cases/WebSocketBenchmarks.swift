import NIOCore
import TunnelProtocol

private let mask = WebSocketMask(random: UInt32(littleEndian: 0x9f3a_51c7))
private let maskBytes: [UInt8] = [0xc7, 0x51, 0x3a, 0x9f]

private func frame(_ payload: ByteBuffer) -> ByteBuffer {
    var frame = FrameBuffer(capacity: payload.readableBytes)
    frame.buffer.writeImmutableBuffer(payload)
    return frame.finished(as: .binary, mask: mask)
}

/// The same byte by byte (RFC 6455 §5.2, §5.3): reader and writer may not agree on what is wrong.
private func frameByHand(_ payload: ByteBuffer) -> ByteBuffer {
    var frame = ByteBuffer(bytes: [0x82])
    if payload.readableBytes < 126 {
        frame.writeInteger(0x80 | UInt8(payload.readableBytes))
    } else {
        frame.writeInteger(UInt8(0xff))
        frame.writeInteger(UInt64(payload.readableBytes))
    }
    frame.writeBytes(maskBytes)
    frame.writeBytes(payload.readableBytesView.enumerated().map { $1 ^ maskBytes[$0 % 4] })
    return frame
}

private func decoding(_ size: Int) throws -> Operation {
    let payload = Texts.body(size)
    let wire = frameByHand(payload)
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
    let expected = frameByHand(payload).readableBytes
    try require(frame(payload) == frameByHand(payload), "the frame")
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
