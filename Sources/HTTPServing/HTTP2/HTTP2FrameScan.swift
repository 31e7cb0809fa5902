import NIOCore

/// Looks at the heads of frames (RFC 9113 §4.1) before anybody reads the frames: one of SETTINGS may hold thousands of entries,
/// each of which changes every stream.
struct HTTP2FrameScan {
    /// A client says eight things, and a few that nobody knows.
    static let mostSettings = 32

    private static let settingsType: UInt8 = 4
    private static let settingBytes = 6
    private static let headBytes = 9

    /// Bytes before the next frame's head: at first the client's preface (§3.4).
    private var toSkip = 24
    /// What has come of a head.
    private var length = 0
    private var headCame = 0

    /// - Returns: whether what came may be read.
    mutating func passes(_ bytes: ByteBufferView) -> Bool {
        var place = bytes.startIndex
        while place < bytes.endIndex {
            guard toSkip == 0 else {
                let count = min(toSkip, bytes.endIndex - place)
                toSkip -= count
                place += count
                continue
            }
            let byte = bytes[place]
            place += 1
            switch headCame {
            case 0...2: length = length << 8 | Int(byte)
            case 3 where byte == Self.settingsType && length > Self.mostSettings * Self.settingBytes:
                return false
            default: break
            }
            headCame += 1
            if headCame == Self.headBytes {
                toSkip = length
                length = 0
                headCame = 0
            }
        }
        return true
    }
}
