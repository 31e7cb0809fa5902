import Foundation
import HostSystem
import TestSupport
import Testing

/// A file that several change.
@Suite struct SharedFileTests {
    private static func number(_ content: [UInt8]) -> Int {
        Int(String(decoding: content, as: UTF8.self)) ?? 0
    }

    @Test func nothingThatAnyoneAddsIsLost() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "count")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await onThread {
                        for _ in 0..<25 {
                            _ = try SharedFile(path: path).change { Array("\(Self.number($0) + 1)".utf8) }
                            _ = try SharedFile(path: path).look()
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(Self.number(try SharedFile(path: path).look()) == 100)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["count"])
    }

    @Test func toLookLeavesNoTraceAndWhatALinkLeadsToIsChanged() throws {
        let folder = try TemporaryFolder()
        let file = SharedFile(path: folder.path(of: "count"))
        #expect(try file.look().isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        try folder.write("5", to: "real")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path(of: "count"), withDestinationPath: "real")
        _ = try file.change { _ in Array("6".utf8) }
        #expect(try folder.text(of: "real") == "6")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.path(of: "count")) == "real")
    }

    @Test func whatIsThrownLeavesTheFileAsItWas() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("mine", to: "count")
        #expect(throws: TestFailure.self) {
            try SharedFile(path: path).change { _ throws(TestFailure) in throw TestFailure("no") }
        }
        #expect(try folder.text(of: "count") == "mine")
        #expect(throws: SharedFileError.self) { try SharedFile(path: "/nowhere/count").change { $0 } }
        #expect(throws: SharedFileError.self) { try SharedFile(path: folder.path).look() }
    }
}
