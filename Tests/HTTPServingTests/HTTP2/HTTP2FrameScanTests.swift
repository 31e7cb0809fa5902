import NIOCore
import Testing

@testable import HTTPServing

@Suite struct HTTP2FrameScanTests {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private static func frame(_ type: UInt8, _ length: Int) -> [UInt8] {
        [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, 0, 0, 0, 0, 0]
            + [UInt8](repeating: 4, count: length)
    }

    private static func passes(_ bytes: [UInt8], piece: Int) -> Bool {
        var scan = HTTP2FrameScan()
        var rest = ByteBuffer(bytes: bytes)
        while let slice = rest.readSlice(length: min(piece, rest.readableBytes)), slice.readableBytes > 0 {
            if !scan.passes(slice.readableBytesView) { return false }
        }
        return true
    }

    @Test(arguments: [1, 2, 7, 9, 100, 100_000])
    func settingsHaveFewEntries(piece: Int) {
        let most = HTTP2FrameScan.mostSettings * 6
        let good = Self.preface + Self.frame(4, most) + Self.frame(0, 70_000) + Self.frame(4, 0)
        #expect(Self.passes(good + Self.frame(1, 300), piece: piece))
        #expect(!Self.passes(good + Self.frame(4, most + 6), piece: piece))
        #expect(!Self.passes(Self.preface + Self.frame(4, 16_200), piece: piece))
        // What a body holds is none.
        #expect(
            Self.passes(Self.preface + Self.frame(4, 6) + Self.frame(0, 9) + Self.frame(6, 8), piece: piece))
    }
}
