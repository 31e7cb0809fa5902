import Foundation
import TestSupport
import Testing
import TunnelProtocol

@Suite("Long polling: all that can happen to a few bytes")
struct LongPollModelTests {
    private static let isSlow = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1"

    private struct Example: CustomTestStringConvertible {
        let testDescription: String
        var requests = 1
        var isSingle = false
        /// Whether answers pass as they are written; nil where it is to be found out yet.
        var streams: Bool?
        var bytes = 2
        var faults = 2
        var steps = 6
    }

    private static let examples = [
        Example(testDescription: "one poll, one upload", streams: false, bytes: 3),
        Example(testDescription: "one at a time", isSingle: true, bytes: 3),
        Example(testDescription: "one poll that streams, one upload", streams: true, bytes: 3),
        Example(testDescription: "two polls, two uploads", requests: 2, streams: false, steps: 5),
        Example(testDescription: "two polls that stream, two uploads", requests: 2, streams: true, steps: 4),
        Example(testDescription: "from the first poll on"),
    ]

    /// How a state came about.
    private struct Origin {
        var place: Int?
        var step: LongPollModel.Step?
    }

    @Test(
        "What comes is what was written, and it always goes on when the path heals",
        arguments: examples.indices)
    private func everything(place: Int) throws {
        let example = Self.examples[place]
        var limits = LongPollClientMachine.Limits()
        (limits.polls, limits.uploads, limits.gatherTime) = (example.requests, example.requests, .zero)
        var start = try LongPollModel(
            bytes: example.bytes, faults: example.faults, limits: limits, isSingle: example.isSingle)
        if let passes = example.streams {
            try start.probe(passes: passes)
            try #require(start.isStreaming == passes)
        }
        let count = try explore(start, steps: example.steps + (Self.isSlow ? 2 : 0))
        #expect(count > 1_000, "too little was gone through to tell anything")
    }

    /// - Returns: states that were gone through.
    private func explore(_ start: LongPollModel, steps: Int) throws -> Int {
        var seen: Set<LongPollModel> = [start]
        var origins = [Origin()]
        var frontier = [(state: start, place: 0)]
        for depth in 1...steps {
            var next: [(state: LongPollModel, place: Int)] = []
            for (state, place) in frontier {
                for step in state.steps {
                    var after = state
                    do {
                        try after.take(step)
                        guard seen.insert(after).inserted else { continue }
                        origins.append(Origin(place: place, step: step))
                        if after.faults == 0 || depth == steps {
                            var healed = after
                            try healed.heal()
                        } else {
                            next.append((after, origins.count - 1))
                        }
                    } catch {
                        origins.append(Origin(place: place, step: step))
                        throw TestFailure("\(error), after \(Self.path(origins))")
                    }
                }
            }
            frontier = next
        }
        return seen.count
    }

    private static func path(_ origins: [Origin]) -> [LongPollModel.Step] {
        var path: [LongPollModel.Step] = []
        var origin = origins.last
        while let step = origin?.step, let place = origin?.place {
            path.append(step)
            origin = origins[place]
        }
        return path.reversed()
    }
}
