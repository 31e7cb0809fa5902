import BenchmarkReport
import Foundation
import TestSupport

/// What a good tunnel's callers meet before, during and after somebody misuses the server beside it. A scenario for each
/// attack; `--only neighbours` runs them all.
protocol Neighbours: Scenario {
    /// One word for the attack.
    static var word: String { get }
    /// What is not as by default.
    ///
    /// - Returns: nil where the attack is not possible; a note says why.
    static func setting(_ bench: Bench) throws -> Neighbourhood.Setting?
    /// Does all of it, to its end.
    static func attack(_ place: Neighbourhood) throws
}

/// All attacks, in the order in which they run.
var allNeighbours: [any Scenario.Type] {
    [
        ManySessions.self, NumberedClients.self, FewSilentPeers.self, ManySilentPeers.self, IdleRequests.self,
        StuckReaders.self, SilentNames.self, JunkHandshakes.self, MadeUpTokens.self, SlowDownloads.self,
        OldSlowDownloads.self,
    ]
}

extension Neighbours {
    static var name: String { "neighbours/\(word)" }
    static var sides: [String] { ["ours"] }

    static func setting(_ bench: Bench) throws -> Neighbourhood.Setting? { Neighbourhood.Setting() }

    static func run(_ bench: Bench) throws {
        for _ in 0..<min(bench.settings.runs, bench.settings.isQuick ? 1 : 3) {
            guard let setting = try setting(bench) else { return }
            try measure(Neighbourhood(bench, as: "neighbours-\(word)", setting))
        }
    }

    private static func measure(_ place: Neighbourhood) throws {
        let callers = SteadyCallers(place.way.files)
        // What is opened and allocated once is not what is measured. Here and below time passes because it is.
        Thread.sleep(forTimeInterval: 1)
        _ = callers.take()
        let quiet = TimeInterval(place.bench.settings.isQuick ? 3 : 8)
        Thread.sleep(forTimeInterval: quiet)
        let before = callers.take()

        let spent = try place.way.processorSeconds()
        let start = ContinuousClock.now
        let attacked = Result { try attack(place) }
        let seconds = start.duration(to: .now) / .seconds(1)
        let during = callers.take()
        let spentThen = try place.way.processorSeconds()

        Thread.sleep(forTimeInterval: quiet)
        try callers.stop()
        let after = callers.take()
        try report([("before", before), ("during", during), ("after", after)], place)
        for role in ["server", "client"] {
            let time = spentThen[role, default: 0] - spent[role, default: 0]
            place.record(time / seconds * 100, "CPU, \(role), during", "%")
        }
        place.bench.recordPeakMemory(of: [place.way])
        place.record(seconds, "the attack took", "s")
        // Whatever became of the attack, what the callers met is told.
        try attacked.get()
    }

    private static func report(
        _ phases: [(name: String, met: SteadyCallers.Result)], _ place: Neighbourhood
    ) throws {
        let faults = phases.flatMap(\.met.faults)
        place.record(Double(faults.count), "failed requests")
        if let fault = faults.first { place.bench.note("\(name): \(faults.count) requests: \(fault)") }
        for phase in phases {
            place.record(try phase.met.percentile(0.5), "p50 \(phase.name)", "ms")
            place.record(try phase.met.percentile(0.99), "p99 \(phase.name)", "ms")
        }
        let late = try phases.map { try $0.met.percentile(0.99) }
        place.record(late[1] / late[0], "p99 during / before", "×")
        place.record(late[2] / late[0], "p99 after / before", "×")
    }
}
