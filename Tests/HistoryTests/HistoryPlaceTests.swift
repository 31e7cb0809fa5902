import Foundation
import Glibc
import TestSupport
import Testing

@testable import History

/// Whether a history can be kept, found out before it is.
@Suite struct HistoryPlaceTests {
    @Test func whatStandsAgainstItIsToldAndNothingIsMade() throws {
        let folder = try TemporaryFolder()
        #expect(HistoryPlace.obstacle(at: folder.path(of: "history.db")) == nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        let file = try folder.write("x", to: "file")
        #expect(HistoryPlace.obstacle(at: file) == nil)
        for path in [folder.path(of: "none/history.db"), "\(file)/history.db"] {
            let obstacle = try #require(HistoryPlace.obstacle(at: path))
            #expect(obstacle.hasPrefix("cannot write \(path): ") && obstacle.contains("its folder exists"))
        }
        // The same that a history says that is to be kept there.
        let pipe = folder.path(of: "pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let fault = #expect(throws: HistoryFault.self) { try HistoryFile(path: pipe, maxBytes: 4 << 20) }
        #expect(HistoryPlace.obstacle(at: pipe) == fault?.description)
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func whatMayNotBeWrittenIsTold() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("x", to: "file")
        #expect(chmod(file, 0o400) == 0)
        #expect(HistoryPlace.obstacle(at: file)?.contains("check its owner") == true)
    }
}
