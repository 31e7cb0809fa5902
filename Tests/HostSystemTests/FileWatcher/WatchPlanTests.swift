import Testing

@testable import HostSystem

@Suite struct WatchPlanTests {
    /// A plan over a made-up file system.
    private static func plan(_ paths: [String], _ entries: [String: WatchedEntry]) -> WatchPlan {
        WatchPlan(paths: paths) { entries[$0] ?? .missing }
    }

    private typealias Interest = WatchPlan.Interest

    @Test func everyFolderOnTheWayIsWatched() {
        let plan = Self.plan(
            ["/etc/app/a.yaml", "/etc/app/b.yaml"],
            ["/etc": .folder, "/etc/app": .folder, "/etc/app/a.yaml": .file, "/etc/app/b.yaml": .file])
        #expect(
            plan.folders == [
                "/": Interest(steps: ["etc"]), "/etc": Interest(steps: ["app"]),
                "/etc/app": Interest(contents: ["a.yaml", "b.yaml"]),
            ])
    }

    @Test func kubernetesLinksAreFollowedStepByStep() {
        let plan = Self.plan(
            ["/config/a.yaml"],
            [
                "/config": .folder, "/config/a.yaml": .link(target: "..data/a.yaml"),
                "/config/..data": .link(target: "..2026_01"), "/config/..2026_01": .folder,
                "/config/..2026_01/a.yaml": .file,
            ])
        #expect(
            plan.folders == [
                "/": Interest(steps: ["config"]),
                "/config": Interest(contents: ["a.yaml", "..data"], steps: ["..2026_01"]),
                "/config/..2026_01": Interest(contents: ["a.yaml"]),
            ])
    }

    @Test func linksMayLeadAnywhere() {
        let plan = Self.plan(
            ["/a/link"],
            [
                "/a": .folder, "/a/link": .link(target: "../b/./c"), "/b": .link(target: "/d/"),
                "/d": .folder, "/d/c": .file,
            ])
        #expect(
            plan.folders == [
                "/": Interest(contents: ["b"], steps: ["a", "d"]), "/a": Interest(contents: ["link"]),
                "/d": Interest(contents: ["c"]),
            ])
    }

    @Test func aMissingStepIsWaitedForWhereItWouldCome() {
        let plan = Self.plan(["/etc/app/sub/a.yaml"], ["/etc": .folder])
        #expect(plan.folders == ["/": Interest(steps: ["etc"]), "/etc": Interest(contents: ["app"])])
    }

    @Test func aFolderStandsForItsEntries() {
        let plan = Self.plan(["/conf.d"], ["/conf.d": .folder])
        #expect(plan.folders == ["/": Interest(steps: ["conf.d"]), "/conf.d": Interest(isWhole: true)])
    }

    @Test func linksThatGoRoundAreTold() {
        let plan = Self.plan(["/a"], ["/a": .link(target: "b"), "/b": .link(target: "/a")])
        #expect(plan.loops == ["/a"])
    }

    @Test func writesCountOnlyWhereContentsMatter() {
        let interest = Interest(contents: ["a"], steps: ["b"])
        #expect(interest.covers("a", isWrite: true) && interest.covers("a", isWrite: false))
        #expect(!interest.covers("b", isWrite: true) && interest.covers("b", isWrite: false))
        #expect(!interest.covers("c", isWrite: false))
        let whole = Interest(isWhole: true)
        #expect(whole.covers("c", isWrite: false) && !whole.covers(".c.swp", isWrite: false))
        // A log in an included folder is written all the time.
        #expect(!whole.covers("c", isWrite: true))
    }
}

@Suite struct ChangeDebounceTests {
    private let start = ContinuousClock.now

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    @Test func aBurstIsToldOnceItIsQuiet() {
        var debounce = ChangeDebounce(quiet: .milliseconds(500), longest: .seconds(5))
        var isDue = debounce.isDue(at: start)
        #expect(debounce.deadline == nil && !isDue)
        debounce.changed(at: at(0))
        debounce.changed(at: at(400))
        #expect(debounce.deadline == at(900))
        isDue = debounce.isDue(at: at(899))
        #expect(!isDue)
        isDue = debounce.isDue(at: at(900))
        #expect(isDue)
        isDue = debounce.isDue(at: at(9_000))
        #expect(!isDue)
        #expect(debounce.deadline == nil)
    }

    @Test func aBurstWithoutEndIsToldNowAndThen() {
        var debounce = ChangeDebounce(quiet: .milliseconds(500), longest: .seconds(5))
        var told: [Int] = []
        for moment in stride(from: 0, through: 12_000, by: 100) {
            if debounce.isDue(at: at(moment)) { told.append(moment) }
            debounce.changed(at: at(moment))
        }
        #expect(told == [5_000, 10_000])
    }
}

@Suite struct InotifyEventTests {
    @Test func eventsAreTakenApart() {
        let first: [UInt8] =
            [1, 0, 0, 0, 2, 0, 0, 0, 9, 9, 9, 9, 8, 0, 0, 0] + Array("a.yaml".utf8) + [0, 0]
        let second: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let events = Inotify.events(in: first + second)
        #expect(
            events == [
                Inotify.Event(watch: 1, mask: 2, name: "a.yaml"),
                Inotify.Event(watch: -1, mask: 0x4000, name: ""),
            ])
        #expect(events.map(\.isOverflow) == [false, true])
        #expect(events.map(\.isWrite) == [true, false])
        // Half an event is none.
        #expect(Inotify.events(in: first.dropLast()) == [])
        #expect(Inotify.events(in: second.prefix(15)) == [])
    }
}
