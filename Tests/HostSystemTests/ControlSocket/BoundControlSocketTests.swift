import Foundation
import NIOCore
import NIOPosix
import SystemPackage
import TestSupport
import Testing

@testable import HostSystem

@Suite(.timeLimit(.minutes(1))) struct BoundControlSocketTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path(of: "agent.sock") }

    init() throws { folder = try TemporaryFolder() }

    /// A connection to the socket; negative when nobody takes it.
    private func connect() throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let address = try #require(LocalSocketAddress(path: path))
        if address.withSockaddr({ Glibc.connect(descriptor, $0, $1) }) == 0 { return descriptor }
        close(descriptor)
        return -1
    }

    private func reason(_ body: () throws -> Void) -> ControlSocketError.Reason? {
        #expect(throws: ControlSocketError.self) { try body() }?.reason
    }

    @Test func itListensForItsOwnerAlone() throws {
        let socket = try BoundControlSocket(path: path)
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & S_IFMT == S_IFSOCK)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(stat(path + ".lock", &status) == 0 && status.st_mode & 0o777 == 0o600)
        let peer = try connect()
        #expect(peer >= 0)
        close(peer)
        socket.remove()
        socket.remove()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test func aLivingOneIsRefusedAndUntouched() throws {
        let socket = try BoundControlSocket(path: path)
        defer { socket.remove() }
        let error = #expect(throws: ControlSocketError.self) { try BoundControlSocket(path: path) }
        #expect(error?.reason == .taken(processID: getpid()))
        #expect(
            error?.description
                == "control-socket: \(path) belongs to another wstunnel that runs (process \(getpid())) — stop that one, or name another path"
        )
        let peer = try connect()
        #expect(peer >= 0)
        close(peer)
    }

    @Test func theSocketOfADeadProcessIsReplaced() throws {
        // A process that is killed leaves both files, and no lock.
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let address = try #require(LocalSocketAddress(path: path))
        try #require(address.withSockaddr { bind(descriptor, $0, $1) } == 0)
        close(descriptor)
        try folder.write("99999999\n", to: "agent.sock.lock")
        #expect(try connect() == -1)
        let socket = try BoundControlSocket(path: path)
        defer { socket.remove() }
        let peer = try connect()
        #expect(peer >= 0)
        close(peer)
    }

    @Test func itCanBeBoundAgainAfterTheEnd() throws {
        for _ in 0..<3 { try BoundControlSocket(path: path).remove() }
        do { _ = try BoundControlSocket(path: path) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test func whatTookItsPlaceStays() throws {
        let socket = try BoundControlSocket(path: path)
        #expect(unlink(path) == 0)
        try folder.write("somebody else's", to: "agent.sock")
        socket.remove()
        #expect(try folder.text(of: "agent.sock") == "somebody else's")
    }

    @Test func aFileInItsPlaceIsNotRemoved() throws {
        try folder.write("precious", to: "agent.sock")
        #expect(reason { _ = try BoundControlSocket(path: path) } == .notASocket)
        #expect(try folder.text(of: "agent.sock") == "precious")
        #expect(!FileManager.default.fileExists(atPath: path + ".lock"))
    }

    @Test func aPathBeyondTheKernelsLimitIsRefused() {
        for path in ["", folder.path(of: String(repeating: "x", count: 108))] {
            #expect(reason { _ = try BoundControlSocket(path: path) } == .pathTooLong)
        }
        let longest = folder.path + "/" + String(repeating: "x", count: 107 - folder.path.utf8.count - 1)
        #expect(throws: Never.self) { try BoundControlSocket(path: longest).remove() }
    }

    @Test func aMissingFolderIsTold() {
        let path = folder.path(of: "no/agent.sock")
        #expect(
            reason { _ = try BoundControlSocket(path: path) }
                == .system("open its lock file \(path).lock", .noSuchFileOrDirectory))
    }

    @Test func whoIsThereIsKnownToNIO() async throws {
        let bound = try BoundControlSocket(path: path)
        defer { bound.remove() }
        let descriptor = try #require(bound.takeDescriptor())
        #expect(bound.takeDescriptor() == nil)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (peers, continuation) = AsyncStream.makeStream(of: PeerCredentials.self)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                        of: NIOBSDSocket.Handle.self
                    ) { PeerCredentials(descriptor: $0) }
                    if let peer, let peer { continuation.yield(peer) }
                }
            }
            .withBoundSocket(descriptor).get()
        let peer = try connect()
        #expect(peer >= 0)
        for await credentials in peers {
            #expect(
                credentials == PeerCredentials(processID: getpid(), userID: geteuid(), groupID: getegid()))
            #expect(credentials.mayCommand())
            break
        }
        #expect(PeerCredentials(descriptor: peer)?.userID == geteuid())
        close(peer)
        try await server.close()
        try await group.shutdownGracefully()
    }

    @Test func rootAndTheAgentsOwnUserMayCommand() {
        let user = PeerCredentials(processID: 1, userID: 1000, groupID: 0)
        #expect(user.mayCommand(agentOf: 1000))
        #expect(!user.mayCommand(agentOf: 1001))
        #expect(!user.mayCommand(agentOf: 0))
        #expect(PeerCredentials(processID: 1, userID: 0, groupID: 0).mayCommand(agentOf: 1001))
        #expect(PeerCredentials(descriptor: -1) == nil)
    }
}
