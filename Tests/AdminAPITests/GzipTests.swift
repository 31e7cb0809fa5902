import Foundation
import NIOCore
import TestSupport
import Testing

@testable import AdminAPI

@Suite struct GzipTests {
    @Test(arguments: [0, 1, 100, 3_000_000]) func whatIsCompressedIsTheSameUnpacked(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 251 &+ $0 / 1000) }
        let packed = try #require(Gzip.compressed(bytes))
        let folder = try TemporaryFolder()
        let path = try folder.write(Array(packed.readableBytesView), to: "page.gz")
        let program = try ChildProcess(["gzip", "-dc", path])
        #expect(try program.waitForExit() == .code(0))
        try program.standardOutput.waitForEnd()
        #expect(program.standardOutput.bytes == bytes)
        if count > 1000 { #expect(packed.readableBytes < count / 2) }
    }
}
