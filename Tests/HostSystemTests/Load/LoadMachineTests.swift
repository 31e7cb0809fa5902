import Testing

@testable import HostSystem

/// At which stage an agent is. Looks are half a second apart.
@Suite struct LoadMachineTests {
    /// A look at what is used, in percent of what there is.
    private struct Look {
        var memory: Int?
        var descriptors: Int?
        var delay: Int?

        var measures: [LoadMeasure] {
            [
                memory.map { LoadMeasure(.memory, used: $0, limit: 100) },
                descriptors.map { LoadMeasure(.descriptors, used: $0, limit: 100) },
                delay.map { LoadMeasure(.loopDelay, used: $0, limit: 100) },
            ].compactMap(\.self)
        }
    }

    /// The stage behind each look, and by what.
    private static func stages(_ looks: [Look], _ machine: inout LoadMachine) -> [String] {
        let start = ContinuousClock.now
        return looks.enumerated().map { number, look in
            let before = machine.stage
            let hasChanged = machine.look(look.measures, now: start + LoadMachine.interval * number)
            #expect(hasChanged == (machine.stage != before))
            let cause = machine.stage == .none ? "" : " \(machine.cause?.resource.rawValue ?? "?")"
            return "\(machine.stage.rawValue)\(cause)"
        }
    }

    private static func stages(memory: [Int]) -> [Int] {
        var machine = LoadMachine()
        return stages(memory.map { Look(memory: $0) }, &machine).compactMap { Int($0.prefix(1)) }
    }

    /// Where nobody has said how many descriptors there are, nobody is refused for want of them.
    @Test func aMeasureMayGoNoFurtherThanItsStage() {
        var machine = LoadMachine()
        let full = LoadMeasure(.descriptors, used: 99, limit: 100, most: .noKeptConnections)
        let start = ContinuousClock.now
        for number in 0..<10 { _ = machine.look([full], now: start + LoadMachine.interval * number) }
        #expect(machine.stage == .noKeptConnections)
        let memory = LoadMeasure(.memory, used: 99, limit: 100)
        _ = machine.look([full, memory], now: start + LoadMachine.interval * 10)
        #expect(machine.stage == .noNewRequests && machine.cause?.resource == .memory)
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        let used: [Int]
        let stages: [Int]
        var testDescription: String { name }
    }

    @Test(arguments: [
        Row(name: "below", used: [79, 79, 79], stages: [0, 0, 0]),
        Row(name: "at once", used: [79, 80, 89, 90, 94, 95], stages: [0, 1, 1, 2, 2, 3]),
        Row(name: "one at a look", used: [99, 99, 99, 99], stages: [1, 2, 3, 3]),
        Row(name: "the first was enough", used: [99, 60, 60], stages: [1, 1, 1]),
        Row(
            name: "not a bit below", used: [80] + Array(repeating: 76, count: 30),
            stages: Array(repeating: 1, count: 31)),
        Row(
            name: "up and down is no calm", used: Array(repeating: [80, 60], count: 15).flatMap(\.self),
            stages: Array(repeating: 1, count: 30)),
        Row(
            name: "five seconds of calm", used: [80] + Array(repeating: 74, count: 12),
            stages: Array(repeating: 1, count: 11) + [0, 0]),
        Row(
            name: "one stage in five seconds", used: [95, 95, 95] + Array(repeating: 10, count: 32),
            stages: [1, 2] + Array(repeating: 3, count: 11) + Array(repeating: 2, count: 10)
                + Array(repeating: 1, count: 10) + [0, 0]),
        Row(
            name: "down as far as nothing keeps it", used: [95, 95, 95] + Array(repeating: 86, count: 32),
            stages: [1, 2] + Array(repeating: 3, count: 11) + Array(repeating: 2, count: 22)),
    ])
    func stagesFollowWhatIsUsed(_ row: Row) { #expect(Self.stages(memory: row.used) == row.stages) }

    @Test func whatIsShortestIsTheCause() {
        var machine = LoadMachine()
        let looks = [
            Look(memory: 82, descriptors: 10), Look(memory: 82, descriptors: 91),
            Look(memory: 82, descriptors: 88), Look(memory: 96, descriptors: 88),
        ]
        #expect(Self.stages(looks, &machine) == ["1 memory", "2 descriptors", "2 descriptors", "3 memory"])
        #expect(machine.isFor(.memory) && machine.isFor(.descriptors) && !machine.isFor(.loopDelay))
    }

    /// A loop that is late once had much to do, or a machine was asleep.
    @Test func onlyADelayThatLastsCounts() {
        var machine = LoadMachine()
        let spike = [Look(delay: 0), Look(delay: 900), Look(delay: 900), Look(delay: 900), Look(delay: 10)]
        #expect(Self.stages(spike, &machine) == ["0", "0", "0", "0", "0"])
        #expect(machine.measures.map(\.used) == [10])
        machine = LoadMachine()
        let overload = [110, 150, 120, 130, 210, 220, 230, 240, 500, 500, 500, 500].map { Look(delay: $0) }
        let stages = Self.stages(overload, &machine)
        #expect(
            stages.prefix(8) == [
                "0", "0", "0", "1 loop-delay", "1 loop-delay", "1 loop-delay", "1 loop-delay", "2 loop-delay",
            ])
        #expect(stages.last == "3 loop-delay")
    }

    @Test func whatIsNotLookedAtAnyMoreIsForgotten() {
        var machine = LoadMachine()
        _ = Self.stages([Look(memory: 99), Look(memory: 99)], &machine)
        let resets = [machine.reset(), machine.reset()]
        #expect(resets == [true, false] && machine.stage == .none && !machine.isFor(.memory))
    }

    @Test func nothingThatIsLookedAtIsNoStage() {
        var machine = LoadMachine()
        #expect(Self.stages([Look(), Look()], &machine) == ["0", "0"])
    }

    @Test func theGaugeTellsWhatAStageMeans() {
        let gauge = LoadGauge()
        let meant = [LoadStage.none, .noKeptConnections, .noNewRequests, .givesBack].map { stage in
            gauge.stage = stage
            return [gauge.keepsNoConnections, gauge.refusesRequests]
        }
        #expect(meant == [[false, false], [true, false], [true, true], [true, true]])
    }
}
