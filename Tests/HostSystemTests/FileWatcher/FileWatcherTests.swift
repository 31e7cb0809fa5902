import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import HostSystem

@Suite(.timeLimit(.minutes(1))) struct FileWatcherTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Runs the body with a watcher on paths of the folder; the watches stand when it begins.
    private func watching(
        _ names: [String], mostFolders: Int = 1024,
        onProblem: @escaping @Sendable (String) -> Void = { _ in },
        _ body: (FileWatcher) async throws -> Void
    ) async throws {
        let watcher = try FileWatcher(
            quiet: .milliseconds(20), longest: .milliseconds(200), mostFolders: mostFolders,
            onProblem: onProblem)
        defer { watcher.close() }
        try await settle(watcher, names)
        try await body(watcher)
    }

    /// Waits until watches stand, by the change that every file of the past is when nothing was ever read.
    private func settle(_ watcher: FileWatcher, _ names: [String]) async throws {
        let marker = try folder.write("", to: "marker")
        watcher.watch(names.map { folder.path(of: $0) } + [marker], readAt: WatchMoment(reading: timespec()))
        #expect(await nextChange(of: watcher))
    }

    /// - Returns: false when the watcher was closed.
    private func nextChange(of watcher: FileWatcher) async -> Bool {
        for await _ in watcher.changes { return true }
        return false
    }

    private func replace(_ name: String, _ text: String) throws {
        let new = try folder.write(text, to: name + ".new-\(UInt64.random(in: 0 ... .max))")
        #expect(rename(new, folder.path(of: name)) == 0)
    }

    private func append(_ text: String, to name: String) throws {
        let file = try #require(FileHandle(forWritingAtPath: folder.path(of: name)))
        try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }

    @Test func aFileIsWrittenReplacedDeletedAndMadeAgain() async throws {
        try folder.write("1", to: "a.yaml")
        try await watching(["a.yaml"]) { watcher in
            try append("2", to: "a.yaml")
            #expect(await nextChange(of: watcher))
            for text in ["3", "4", "5"] {
                try replace("a.yaml", text)
                #expect(await nextChange(of: watcher))
            }
            try append("6", to: "a.yaml")
            #expect(await nextChange(of: watcher))
            #expect(unlink(folder.path(of: "a.yaml")) == 0)
            #expect(await nextChange(of: watcher))
            try folder.write("7", to: "a.yaml")
            #expect(await nextChange(of: watcher))
            try append("8", to: "a.yaml")
            #expect(await nextChange(of: watcher))
            #expect(chmod(folder.path(of: "a.yaml"), 0o644) == 0)
            #expect(await nextChange(of: watcher))
        }
    }

    @Test func aSwapOfKubernetesDataIsNoticedEachTime() async throws {
        for (version, text) in [("..v1", "1"), ("..v2", "2"), ("..v3", "3")] {
            try folder.write(text, to: version + "/a.yaml")
        }
        try FileManager.default.createSymbolicLink(
            atPath: folder.path(of: "..data"), withDestinationPath: "..v1")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path(of: "a.yaml"), withDestinationPath: "..data/a.yaml")
        try await watching(["a.yaml"]) { watcher in
            for version in ["..v2", "..v3"] {
                try FileManager.default.createSymbolicLink(
                    atPath: folder.path(of: "..data_tmp"), withDestinationPath: version)
                #expect(rename(folder.path(of: "..data_tmp"), folder.path(of: "..data")) == 0)
                #expect(await nextChange(of: watcher))
                // The target is watched, too.
                try append("more", to: version + "/a.yaml")
                #expect(await nextChange(of: watcher))
            }
        }
    }

    @Test func aReplacedFolderIsWatchedAnew() async throws {
        try folder.write("1", to: "app/sub/a.yaml")
        try await watching(["app/sub/a.yaml"]) { watcher in
            try folder.write("2", to: "next/sub/a.yaml")
            #expect(rename(folder.path(of: "app"), folder.path(of: "old")) == 0)
            #expect(await nextChange(of: watcher))
            #expect(rename(folder.path(of: "next"), folder.path(of: "app")) == 0)
            #expect(await nextChange(of: watcher))
            try append("3", to: "app/sub/a.yaml")
            #expect(await nextChange(of: watcher))
            try FileManager.default.removeItem(atPath: folder.path(of: "app"))
            #expect(await nextChange(of: watcher))
            try folder.write("4", to: "app/sub/a.yaml")
            #expect(await nextChange(of: watcher))
        }
    }

    @Test func aFolderTellsOfEntriesThatComeAndGoAndAFileInItOfWrites() async throws {
        try folder.write("1", to: "conf.d/a.yaml")
        try await watching(["conf.d", "conf.d/a.yaml"]) { watcher in
            try folder.write("2", to: "conf.d/b.yaml")
            #expect(await nextChange(of: watcher))
            try append("3", to: "conf.d/a.yaml")
            #expect(await nextChange(of: watcher))
            #expect(unlink(folder.path(of: "conf.d/b.yaml")) == 0)
            #expect(await nextChange(of: watcher))
        }
    }

    @Test func manyWritesAreOneChange() async throws {
        try folder.write("1", to: "a.yaml")
        let watcher = try FileWatcher(quiet: .milliseconds(300), longest: .seconds(30)) { _ in }
        defer { watcher.close() }
        try await settle(watcher, ["a.yaml"])
        for number in 0..<20 { try append("\(number)", to: "a.yaml") }
        let written = ContinuousClock.now
        #expect(await nextChange(of: watcher))
        #expect(ContinuousClock.now - written >= .milliseconds(250))
    }

    @Test func theSetCanChange() async throws {
        try folder.write("1", to: "a.yaml")
        try folder.write("1", to: "sub/b.yaml")
        try await watching(["a.yaml"]) { watcher in
            try await settle(watcher, ["sub/b.yaml"])
            try append("2", to: "sub/b.yaml")
            #expect(await nextChange(of: watcher))
        }
    }

    @Test func whatChangedBetweenReadingAndWatchingIsTold() async throws {
        try folder.write("1", to: "a.yaml")
        let watcher = try FileWatcher(quiet: .milliseconds(20)) { _ in }
        defer { watcher.close() }
        let readAt = WatchMoment.now()
        try replace("a.yaml", "2")
        watcher.watch([folder.path(of: "a.yaml")], readAt: readAt)
        #expect(await nextChange(of: watcher))
    }

    @Test func beyondTheLimitAWarningSaysSo() async throws {
        let problems = Mutex<[String]>([])
        for name in ["a", "b", "c"] { try folder.write("1", to: name + "/x.yaml") }
        let names = ["a/x.yaml", "b/x.yaml", "c/x.yaml"]
        // The three folders come first, then that of the marker.
        try await watching(
            names, mostFolders: 4, onProblem: { text in problems.withLock { $0.append(text) } }
        ) {
            watcher in
            for name in names {
                try append("2", to: name)
                #expect(await nextChange(of: watcher))
            }
        }
        let lines = problems.withLock { $0 }
        #expect(lines.count == 1 && lines[0].contains("of which only 4 are watched"), "\(lines)")
    }

    @Test func theEndLeavesNoDescriptor() async throws {
        let before = try openDescriptors()
        let watchers = try (0..<40).map { _ in try FileWatcher { _ in } }
        #expect(try openDescriptors() > before + 60)
        for watcher in watchers {
            watcher.watch([folder.path(of: "a.yaml")])
            watcher.close()
            watcher.close()
            watcher.watch([folder.path(of: "b.yaml")])
            for await _ in watcher.changes {}
        }
        try await onThread {
            while watchers.contains(where: { !$0.hasEnded }) { usleep(500) }
        }
        // Each has three; other tests may have opened some meanwhile.
        #expect(try openDescriptors() < before + 60)
    }

    @Test func whyNothingCanBeWatchedIsToldWithAdvice() {
        #expect(
            FileWatcherError(.tooManyOpenFiles).description
                == "watch: cannot watch the configuration's files: Too many open files — raise fs.inotify.max_user_instances or the limit of open files"
        )
    }

    private func openDescriptors() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }
}

@Suite struct FolderWatchesTests {
    @Test func readingAndNeighboursAreNoChange() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("1", to: "a.yaml")
        try folder.write("1", to: "conf.d/a.yaml")
        let inotify = try Inotify()
        defer { inotify.close() }
        var watches = FolderWatches(inotify, mostFolders: 10)
        let plan = WatchPlan(paths: [path, folder.path(of: "conf.d")], entry: FileWatcher.entry)
        #expect(watches.follow(plan) == [])

        _ = try folder.text(of: "a.yaml")
        _ = try FileManager.default.contentsOfDirectory(atPath: folder.path(of: "conf.d"))
        // Opened for writing, but not written.
        try #require(FileHandle(forWritingAtPath: path)).close()
        try folder.write("x", to: "neighbour")
        try folder.write("x", to: "conf.d/.a.yaml.swp")
        #expect(watches.hasChanged() == false)

        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.write(contentsOf: Data("2".utf8))
        try file.close()
        #expect(watches.hasChanged())
        #expect(!watches.hasChanged())

        // What is watched no more is heard of no more.
        #expect(watches.follow(WatchPlan(paths: [], entry: FileWatcher.entry)) == [])
        #expect(unlink(path) == 0)
        #expect(!watches.hasChanged())
    }
}
