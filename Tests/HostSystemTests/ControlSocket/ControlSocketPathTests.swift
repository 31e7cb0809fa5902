import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import HostSystem

@Suite struct ControlSocketPathTests {
    private typealias Surroundings = ControlSocketPath.Surroundings

    private static let root = Surroundings(userID: 0, workingFolder: "/etc/wstunnel")
    private static let user = Surroundings(
        userID: 1000, userRuntimeDirectory: "/run/user/1000", workingFolder: "/home/u")

    private static func folder(_ surroundings: Surroundings) -> String {
        ControlSocketPath.default(forConfiguration: "/etc/wstunnel/tunnels.yaml", surroundings).folder
    }

    @Test func theFolderFollowsFromTheUser() {
        #expect(Self.folder(Self.root) == "/run/wstunnel")
        #expect(Self.folder(Self.user) == "/run/user/1000/wstunnel")
        #expect(Self.folder(Surroundings(userID: 1000)) == "/tmp/wstunnel-1000")
        // Root's own session is not where root's agents are.
        #expect(Self.folder(Surroundings(userID: 0, userRuntimeDirectory: "/run/user/0")) == "/run/wstunnel")
    }

    @Test func theServiceManagersFolderComesFirst() {
        let service = Surroundings(userID: 61_234, runtimeDirectory: "/run/wstunnel")
        #expect(Self.folder(service) == "/run/wstunnel")
    }

    @Test func theNameIsReadableAndStable() {
        let path = ControlSocketPath.default(forConfiguration: "/etc/wstunnel/tunnels.yaml", Self.root)
        // A newer program must find an older agent: this name never changes.
        #expect(path.path == "/run/wstunnel/tunnels-b147af853789b396.sock")
        #expect(ControlSocketPath.hash(of: "") == 0xcbf2_9ce4_8422_2325)
        #expect(ControlSocketPath.hash(of: "foobar") == 0x8594_4171_f739_67e8)
    }

    @Test(arguments: [
        "tunnels.yaml", "./tunnels.yaml", "../wstunnel//tunnels.yaml", "/etc/x/../wstunnel/tunnels.yaml",
    ])
    func thePathCanBeWrittenInManyWays(path: String) {
        #expect(
            ControlSocketPath.default(forConfiguration: path, Self.root)
                == .default(forConfiguration: "/etc/wstunnel/tunnels.yaml", Self.root))
    }

    @Test func filesOfOneNameHaveSocketsOfTheirOwn() {
        #expect(
            ControlSocketPath.default(forConfiguration: "/a/tunnels.yaml", Self.root)
                != .default(forConfiguration: "/b/tunnels.yaml", Self.root))
    }

    @Test(arguments: [
        "/x/" + String(repeating: "långt ", count: 200) + ".yaml", "/", "", "/.yaml", "/x/\u{1b}[2J",
    ])
    func anyPathMakesAShortPlainName(path: String) {
        let name = ControlSocketPath.fileName(forConfiguration: path)
        #expect(name.utf8.count <= 24 + 1 + 16 + 5)
        #expect(name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") })
        #expect(ControlSocketPath.default(forConfiguration: path, Self.user).path.utf8.count <= 107)
    }

    @Test func aCommandLooksWhereTheAgentMayBe() {
        let folders = ControlSocketPath.candidates(
            forConfiguration: "/etc/wstunnel/tunnels.yaml", Self.user, resolve: { $0 }
        ).map(\.folder)
        #expect(folders == ["/run/user/1000/wstunnel", "/tmp/wstunnel-1000", "/run/wstunnel"])
        // As root, a service of a user of its own.
        let service = ControlSocketPath.default(
            forConfiguration: "/etc/wstunnel/tunnels.yaml",
            Surroundings(userID: 61_234, runtimeDirectory: "/run/wstunnel"))
        #expect(
            ControlSocketPath.candidates(
                forConfiguration: "tunnels.yaml", Self.root, resolve: { $0 }) == [service])
    }

    @Test func aCommandLooksForThePathWithoutLinksToo() {
        let paths = ControlSocketPath.candidates(
            forConfiguration: "/current/tunnels.yaml", Self.root,
            resolve: { $0 == "/current" ? "/releases/7" : nil }
        ).map(\.path)
        #expect(
            paths
                == ["/current/tunnels.yaml", "/releases/7/tunnels.yaml"].map {
                    ControlSocketPath.default(forConfiguration: $0, Self.root).path
                })
    }

    // MARK: The folder

    private static func place(_ folder: String, _ kind: ControlSocketPath.Folder = .own) -> ControlSocketPath
    {
        ControlSocketPath(path: folder + "/x.sock", folder: folder, kind: kind)
    }

    private static func reason(_ body: () throws -> Void) -> ControlSocketError.Reason? {
        #expect(throws: ControlSocketError.self) { try body() }?.reason
    }

    @Test func theFolderIsMadeForItsOwnerAlone() throws {
        let folder = try TemporaryFolder()
        let place = Self.place(folder.path(of: "wstunnel-1"))
        try place.prepareFolder()
        try place.prepareFolder()
        var status = stat()
        #expect(stat(place.folder, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
    }

    @Test func aFolderThatIsOpenToOthersIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "wstunnel-1")
        #expect(mkdir(path, 0o700) == 0 && chmod(path, 0o750) == 0)
        #expect(Self.reason { try Self.place(path).prepareFolder() } == .folderOpenToOthers)
        // Others may look into a folder of the system, but not write.
        try Self.place(path, .system).prepareFolder()
        #expect(chmod(path, 0o770) == 0)
        #expect(Self.reason { try Self.place(path, .system).prepareFolder() } == .folderOpenToOthers)
    }

    @Test func aLinkOrAFileInItsPlaceIsRefused() throws {
        let folder = try TemporaryFolder()
        #expect(symlink(folder.path, folder.path(of: "link")) == 0)
        #expect(Self.reason { try Self.place(folder.path(of: "link")).prepareFolder() } == .folderIsNone)
        try folder.write("", to: "file")
        #expect(Self.reason { try Self.place(folder.path(of: "file")).checkFolder() } == .folderIsNone)
    }

    @Test(.enabled(if: geteuid() == 0)) func aFolderOfSomebodyElseIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "wstunnel-1")
        #expect(mkdir(path, 0o700) == 0 && chown(path, 12_345, 12_345) == 0)
        #expect(Self.reason { try Self.place(path).prepareFolder() } == .folderOfAnother(userID: 12_345))
    }

    /// As systemd makes it for a service with a user of its own.
    @Test(.enabled(if: geteuid() == 0)) func rootAsksAServiceOfAnotherUser() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "wstunnel")
        #expect(mkdir(path, 0o755) == 0 && chown(path, 12_345, 12_345) == 0)
        let place = Self.place(path, .system)
        #expect(throws: Never.self) { try place.checkFolderToAsk() }
        // An agent of root's has no business in there, and nobody is asked in a folder that anybody may have made.
        #expect(Self.reason { try place.prepareFolder() } == .folderOfAnother(userID: 12_345))
        #expect(
            Self.reason { try Self.place(path).checkFolderToAsk() } == .folderOfAnother(userID: 12_345))
        #expect(chmod(folder.path, 0o777) == 0)
        #expect(Self.reason { try place.checkFolderToAsk() } == .folderOfAnother(userID: 12_345))
    }

    @Test func aMissingFolderIsTold() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "no/folder")
        #expect(
            Self.reason { try Self.place(path).prepareFolder() }
                == .system("make the folder", .noSuchFileOrDirectory))
        #expect(
            Self.reason { try Self.place(path).checkFolder() }
                == .system("open the folder", .noSuchFileOrDirectory))
    }
}
