package import struct NIOCore.ByteBuffer

/// What a session's peer did wrong; each ends the session.
package enum MuxError: Error, Hashable, Sendable {
    case frameTooBig
    case malformedFrame
    case frameAcrossMessages
    case settingsMissing
    case unsupportedVersion
    case wrongDirection
    case unknownStream
    case streamOutOfOrder
    case flowControl
    case flooded
}

/// Takes mux frames off the messages of a session; data frames come in pieces as they arrive.
package struct MuxDecoder: Sendable {
    private struct PartialData {
        var stream: StreamID
        var remaining: Int
        var isLast: Bool
    }

    private let maximumHeadBytes: Int
    private var pending = ByteBuffer()
    private var partialData: PartialData?
    private var skipping = 0
    /// Frames of unknown types that came.
    package private(set) var skippedFrames = 0

    /// - Parameter maximumHeadBytes: longest head, trailers or settings.
    package init(maximumHeadBytes: Int) {
        self.maximumHeadBytes = maximumHeadBytes
    }

    /// Adds part of a message.
    package mutating func feed(_ piece: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = piece
        } else {
            pending.discardReadBytes()
            pending.writeImmutableBuffer(piece)
        }
    }

    /// The message is over: no frame may stand open.
    package func messageEnded() throws(MuxError) {
        guard pending.readableBytes == 0, partialData == nil, skipping == 0 else {
            throw .frameAcrossMessages
        }
    }

    /// - Returns: the next frame, or piece of a data frame; nil while more bytes are needed.
    package mutating func next() throws(MuxError) -> MuxFrame? {
        if partialData != nil { return nextDataPiece() }
        while true {
            if skipping > 0 {
                let count = min(skipping, pending.readableBytes)
                pending.moveReaderIndex(forwardBy: count)
                skipping -= count
                guard skipping == 0 else { return nil }
            }
            guard
                let (word, rawStream) = pending.getMultipleIntegers(
                    at: pending.readerIndex, as: (UInt32, UInt32).self)
            else { return nil }
            let length = Int(word >> 12)
            let flags = MuxFrame.Flags(rawValue: UInt8(word >> 8 & 0xf))
            guard let kind = MuxFrame.Kind(rawValue: UInt8(word & 0xff)) else {
                pending.moveReaderIndex(forwardBy: MuxFrame.headerBytes)
                skipping = length
                skippedFrames &+= 1
                continue
            }
            let stream = StreamID(rawStream)
            if kind == .data {
                pending.moveReaderIndex(forwardBy: MuxFrame.headerBytes)
                partialData = PartialData(stream: stream, remaining: length, isLast: flags.contains(.last))
                return nextDataPiece()
            }
            guard length <= limit(of: kind, flags) else { throw .frameTooBig }
            guard pending.readableBytes >= MuxFrame.headerBytes + length else { return nil }
            pending.moveReaderIndex(forwardBy: MuxFrame.headerBytes)
            guard var payload = pending.readSlice(length: length),
                let frame = try Self.frame(kind, flags, stream, &payload)
            else { throw .malformedFrame }
            return frame
        }
    }

    private func limit(of kind: MuxFrame.Kind, _ flags: MuxFrame.Flags) -> Int {
        switch kind {
        case .settings, .trailers, .hosts: maximumHeadBytes
        case .response: maximumHeadBytes + (flags.contains(.timed) ? 4 : 0)
        case .request: maximumHeadBytes + 4
        case .data: MuxFrame.maximumPayload
        case .window: 4
        case .ping: 8
        case .reset, .goAway: 4 + MuxFrame.longestReason
        }
    }

    private mutating func nextDataPiece() -> MuxFrame? {
        guard var current = partialData else { return nil }
        let available = min(current.remaining, pending.readableBytes)
        guard available > 0 || current.remaining == 0, let piece = pending.readSlice(length: available) else {
            return nil
        }
        current.remaining -= available
        partialData = current.remaining > 0 ? current : nil
        return .data(current.stream, piece, isLast: current.isLast && current.remaining == 0)
    }

    private static func frame(
        _ kind: MuxFrame.Kind, _ flags: MuxFrame.Flags, _ stream: StreamID, _ payload: inout ByteBuffer
    ) throws(MuxError) -> MuxFrame? {
        switch kind {
        case .settings:
            return try .settings(SessionSettings(decoding: &payload))
        case .request:
            guard let window = payload.readInteger(as: UInt32.self) else { return nil }
            return .request(stream, window: Int(window), head: payload, isLast: flags.contains(.last))
        case .response:
            let originTime = flags.contains(.timed) ? payload.readInteger(as: UInt32.self) : nil
            guard originTime != nil || !flags.contains(.timed) else { return nil }
            return .response(
                stream, head: payload, isInterim: flags.contains(.interim), isLast: flags.contains(.last),
                originTime: originTime)
        case .data:
            return nil
        case .trailers:
            return .trailers(stream, payload)
        case .reset:
            guard let code = payload.readInteger(as: UInt32.self) else { return nil }
            return .reset(stream, ResetCode(wire: code), reason: String(buffer: payload))
        case .window:
            return payload.readInteger(as: UInt32.self).map { .window(stream, Int($0)) }
        case .ping:
            return payload.readInteger(as: UInt64.self).map {
                flags.contains(.answer) ? .pong($0) : .ping($0)
            }
        case .goAway:
            guard let last = payload.readInteger(as: UInt32.self) else { return nil }
            return .goAway(lastTaken: StreamID(last), reason: String(buffer: payload))
        case .hosts:
            return try .hosts(HostRuling.decode(&payload))
        }
    }
}
