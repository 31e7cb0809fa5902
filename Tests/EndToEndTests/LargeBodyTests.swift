import Foundation
import TestSupport
import Testing

/// Bodies far larger than any buffer pass whole, and without gathering in memory.
@Suite struct LargeBodyTests {
    /// The full 300 MiB with WSTUNNEL_SLOW_TESTS=1; else what still is many times the bound on memory's
    /// growth.
    static let mebibytes = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == nil ? 128 : 300
    /// What each process may have resident at most.
    static let memoryLimit = 120 << 20

    @Test(.timeLimit(.minutes(2))) func aLargeDownloadComesWhole() throws {
        let origin = try NginxOrigin(largeMebibytes: Self.mebibytes)
        let tunnel = try TunnelPair(to: origin.url)
        let folder = try TemporaryFolder()
        let copy = folder.path(of: "copy.bin")
        let answer = try tunnel.curl("/large.bin", "-o", copy, within: .seconds(100))
        #expect(answer.exitCode == 0)
        #expect(answer.status == 200)
        #expect(answer.values["size_download"] == "\(Self.mebibytes << 20)")
        #expect(try sha256(ofFile: copy) == sha256(ofFile: origin.root + "/large.bin"))
        try expectLittleMemory(tunnel)
    }

    @Test(.timeLimit(.minutes(2))) func aLargeUploadArrivesWhole() throws {
        let origin = try NginxOrigin()
        let tunnel = try TunnelPair(to: origin.url)
        let folder = try TemporaryFolder()
        let file = try folder.writeRandom(mebibytes: Self.mebibytes, to: "file.bin", seed: 5)
        let answer = try tunnel.curl("/upload/file.bin", "-T", file, within: .seconds(100))
        #expect(answer.exitCode == 0)
        #expect(answer.status == 201)
        #expect(try sha256(ofFile: origin.root + "/upload/file.bin") == sha256(ofFile: file))
        try expectLittleMemory(tunnel)
    }

    private func expectLittleMemory(_ tunnel: TunnelPair) throws {
        for (name, agent) in [("server", tunnel.server), ("client", tunnel.client)] {
            let peak = try agent.process.peakResidentBytes()
            #expect(peak < Self.memoryLimit, "the \(name) had \(peak >> 20) MiB")
        }
    }
}
