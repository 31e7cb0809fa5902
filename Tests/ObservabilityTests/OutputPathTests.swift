import Foundation
import HostSystem
import TestSupport
import Testing

@testable import Observability

@Suite struct OutputPathTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("precious", to: "precious")
        try folder.write("", to: "own/x")
        try folder.write("", to: "shared/x")
        #expect(chmod(folder.path(of: "shared"), 0o1777) == 0)
        for place in ["own", "shared"] {
            #expect(symlink(folder.path(of: "precious"), folder.path(of: "\(place)/link")) == 0)
            #expect(link(folder.path(of: "precious"), folder.path(of: "\(place)/name")) == 0)
        }
    }

    @Test(arguments: ["own/link", "own/name", "own/x", "own/new", "shared/x", "shared/new"])
    func aLogFileOfOursIsOpened(name: String) throws {
        close(try LogOutput.openFile(folder.path(of: name)))
    }

    @Test(arguments: ["shared/link", "shared/name"]) func whatOthersMayHaveLaidThereIsRefused(name: String) {
        let error = #expect(throws: LogSinkError.self) { try LogOutput.openFile(folder.path(of: name)) }
        #expect(error?.description.contains("it is a link, and others can write to its folder") == true)
    }

    @Test func oneFileHasManyNames() {
        let files = [folder.path(of: "none"), folder.path(of: "precious")]
        #expect(OutputPath.leads(folder.path(of: "own/link"), toOneOf: files))
        #expect(OutputPath.leads(folder.path(of: "own/name"), toOneOf: files))
        #expect(!OutputPath.leads(folder.path(of: "own/x"), toOneOf: files))
        #expect(!OutputPath.leads(folder.path(of: "none"), toOneOf: files))
    }
}
