import struct NIOCore.ByteBuffer

/// What a tunnel server says of one of the host names that its client asked for.
package struct HostRuling: Sendable, Hashable {
    /// As the client wrote it.
    package var claim: String
    package var isGranted: Bool
    /// The URL by which callers reach it; of one that is not granted, why.
    package var text: String

    package init(claim: String, isGranted: Bool, text: String) {
        self.claim = claim
        self.isGranted = isGranted
        self.text = text
    }

    /// Longest text that is written, in bytes.
    private static let longestText = 512

    /// The payload of a frame.
    static func encode(_ rulings: [HostRuling]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for ruling in rulings {
            buffer.writeInteger(UInt8(ruling.isGranted ? 1 : 0))
            for text in [ruling.claim, ruling.text] {
                let bytes = text.utf8.prefix(longestText)
                buffer.writeInteger(UInt16(bytes.count))
                buffer.writeBytes(bytes)
            }
        }
        return buffer
    }

    /// - Throws: `MuxError.malformedFrame` when it ends in the middle of one.
    static func decode(_ payload: inout ByteBuffer) throws(MuxError) -> [HostRuling] {
        var rulings: [HostRuling] = []
        while let outcome = payload.readInteger(as: UInt8.self) {
            guard let claim = payload.readText(), let text = payload.readText() else { throw .malformedFrame }
            rulings.append(HostRuling(claim: claim, isGranted: outcome == 1, text: text))
        }
        return rulings
    }
}

extension ByteBuffer {
    /// Sixteen bits of length, and so many bytes of UTF-8.
    fileprivate mutating func readText() -> String? {
        guard let length = readInteger(as: UInt16.self), let bytes = readSlice(length: Int(length)) else {
            return nil
        }
        return String(decoding: bytes.readableBytesView, as: UTF8.self)
    }
}
