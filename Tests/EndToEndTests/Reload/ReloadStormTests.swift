import Foundation
import TestSupport
import Testing

/// One file with three servers and fifty tunnels, changed two hundred times while everything is in use.
@Suite struct ReloadStormTests {
    private static let edits = 200
    /// Some of them, before memory is looked at.
    private static let warmUp = 20

    @Test(.timeLimit(.minutes(4))) func twoHundredEditsUnderLoadDisturbNothingThatStays() throws {
        var storm = Storm(seed: UInt64.random(in: 0 ... .max))
        let seed = storm.random.seed
        let origin = try SteadyLoad.origin()
        let first = try StormFile(origin: origin.url)
        let world = try ReloadedAgent(first.text, files: StormFile.files)
        try Self.waitFor(first, in: world)
        // Before there is any load, which opens and closes all the time.
        let settled = try Self.settle(world)
        let before = try world.status()
        let load = SteadyLoad(port: first.servers[0].port, token: StormFile.token(0))

        // Memory grows to what this needs, and stays: some edits, and all tunnels replaced at once.
        try storm.edit(first, Self.warmUp, in: world)
        #expect(try world.apply(first.everyTunnelChanged.text) == .applied, "seed \(seed)")
        try Self.waitFor(first.everyTunnelChanged, in: world)
        #expect(try world.apply(first.text) == .applied, "seed \(seed)")
        try Self.waitFor(first, in: world)
        let warm = try Self.settle(world)

        let last = try storm.edit(first, Self.edits - Self.warmUp, in: world)
        #expect(storm.wrong.isEmpty, "seed \(seed)")
        #expect((storm.outcomes[.applied] ?? 0) > Self.edits / 3, "seed \(seed): \(storm.outcomes)")
        #expect((storm.outcomes[.refused] ?? 0) > Self.edits / 10, "seed \(seed): \(storm.outcomes)")
        // What runs is what the last good file says.
        #expect(try world.apply(last.text) == .unchanged, "seed \(seed)")
        let after = try Self.waitFor(last, in: world)
        for tunnel in StormFile.steady {
            #expect(
                after.connections(of: "t\(tunnel)") == before.connections(of: "t\(tunnel)"),
                "t\(tunnel) did not keep its connections, seed \(seed)")
        }
        let (faults, counts) = try load.stop()
        #expect(faults.isEmpty, "seed \(seed)")
        for kind in SteadyLoad.Kind.allCases {
            #expect((counts[kind] ?? 0) > 0, "\(kind): \(counts), seed \(seed)")
        }
        // Back to what it was at first, nothing is left of all that was between.
        #expect(try world.apply(first.text) != .refused, "seed \(seed)")
        try Self.waitFor(first, in: world)
        let left = try Self.settle(world)
        #expect(left.descriptors <= settled.descriptors * 21 / 20, "\(left), before \(settled), seed \(seed)")
        // Pools of threads begin some of theirs when they are first used.
        #expect(left.threads <= settled.threads + 2, "\(left), before \(settled), seed \(seed)")
        #expect(left.resident <= warm.resident * 21 / 20, "\(left), warm \(warm), seed \(seed)")
        #expect(world.agent.process.exit == nil)
        #expect(try world.agent.stop() == .code(0))
    }

    /// Edits, and what came of them.
    private struct Storm {
        var random: SplitMix64
        private(set) var outcomes: [ReloadedAgent.Outcome: Int] = [:]
        private(set) var wrong: [String] = []

        init(seed: UInt64) { random = SplitMix64(seed: seed) }

        /// Changes a file so often and has each change applied.
        ///
        /// - Returns: the last that was good.
        @discardableResult
        mutating func edit(
            _ first: StormFile, _ count: Int, in world: ReloadedAgent
        ) throws -> StormFile {
            var file = first
            for edit in 0..<count {
                // A request that is under way on a tunnel that may change: it is finished all the same.
                let busy = try HTTPConnection(port: first.servers[0].port)
                try busy.send("GET", "/moment", fields: [("X-Token", StormFile.token(file.busyTunnel))])
                var next = file
                let damage = next.change(&random)
                let outcome = try world.apply(next.text + (damage ?? ""))
                outcomes[outcome, default: 0] += 1
                if (outcome == .refused) != (damage != nil) {
                    wrong.append("edit \(edit): \(outcome.rawValue), damage: \(damage ?? "none")")
                }
                if damage == nil { file = next }
                let answer = try busy.readResponse()
                if answer.status != 200 {
                    wrong.append("edit \(edit): a request in flight ended with \(answer.status)")
                }
                busy.close()
            }
            return file
        }
    }

    /// Waits until the agent runs what a file says, and nothing else.
    @discardableResult
    private static func waitFor(_ file: StormFile, in world: ReloadedAgent) throws -> AgentStatusReport {
        let wanted = file.tunnels.keys.map { "t\($0)" }.sorted()
        return try world.waitForStatus("what the file says", within: .seconds(60)) { report in
            report.tunnels.map(\.name).sorted() == wanted && report.servers.count == file.servers.count
                && report.tunnels.allSatisfy { $0.state == "connected" && $0.connections.count == $0.wanted }
        }
    }

    /// What an agent holds of what runs out.
    private struct Holdings: CustomStringConvertible {
        let descriptors: Int
        let threads: Int
        /// In bytes.
        let resident: Int

        var description: String { "\(descriptors) descriptors, \(threads) threads, \(resident >> 10) KiB" }
    }

    /// Waits until what it holds rests, or long enough, and tells it.
    private static func settle(_ world: ReloadedAgent) throws -> Holdings {
        let process = world.agent.process
        var last = 0
        var rests = 0
        let deadline = ContinuousClock.now + .seconds(5)
        while rests < 10, ContinuousClock.now < deadline {
            let count = try process.openFileCount()
            rests = count == last ? rests + 1 : 0
            last = count
            usleep(100_000)
        }
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.processID)/task")
        return Holdings(descriptors: last, threads: threads.count, resident: try process.residentBytes())
    }
}
