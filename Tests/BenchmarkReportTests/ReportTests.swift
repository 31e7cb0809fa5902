import BenchmarkReport
import Testing

@Suite struct ReportTests {
    private static let rate = Measure(
        scenario: "requests", what: "requests/s, 32 connections, 1 KiB", unit: "1/s")
    private static let memory = Measure(scenario: "requests", what: "peak memory, server", unit: "MB")
    private static let other = Measure(scenario: "idle", what: "CPU", unit: "%")

    private static func report(ours: [Double] = [12, 10, 11], nginx: [Double] = [10, 8, 9]) -> Report {
        var report = Report(circumstances: ["cores": "2"])
        for value in ours { report.add(value, of: rate, side: "ours") }
        report.add(1, of: other, side: "ours")
        for value in nginx { report.add(value, of: rate, side: "nginx") }
        report.add(70, of: memory, side: "ours")
        return report
    }

    @Test func aRowHasMediansSpreadRatioAndVerdict() throws {
        let lines = Self.report().lines(ofScenario: "requests", sides: ["ours", "nginx"])
        #expect(lines.count == 3)
        #expect(
            lines[1].split(separator: " ").joined(separator: " ")
                == "requests/s, 32 connections, 1 KiB 1/s 11 10..12 9 8..10 1.22 ≥ 1.2 × met")
        #expect(
            lines[2].split(separator: " ").joined(separator: " ")
                == "peak memory, server MB 70 70..70 ≤ 64 MISSED")
    }

    @Test func withoutAReferenceARatioHasNoVerdict() {
        let report = Self.report(nginx: [])
        let line = report.lines(ofScenario: "requests", sides: ["ours", "nginx"])[1]
        #expect(line.hasSuffix("no reference"))
        let sides = ["requests": ["ours", "nginx"]]
        #expect(report.verdicts(sides: sides).map { String($0.prefix(6)) } == ["MISSED"])
    }

    @Test func verdictsTellTheFigureAndTheGoal() {
        let sides = ["requests": ["ours", "nginx"], "idle": ["ours"]]
        #expect(
            Self.report(ours: [9]).verdicts(sides: sides) == [
                "MISSED requests: requests/s, 32 connections, 1 KiB: 1.00 ×, goal ≥ 1.2 ×",
                "MISSED requests: peak memory, server: 70 MB, goal ≤ 64",
            ])
    }

    @Test func aGoalHoldsForAllScenariosOfItsFamily() {
        let goals = [Goal("neighbours", ["failed requests"], .atMost(0))]
        func goal(of scenario: String) -> Goal? {
            Goal.of(Measure(scenario: scenario, what: "failed requests", unit: ""), in: goals)
        }
        #expect(goal(of: "neighbours/sessions") == goals[0])
        #expect(goal(of: "neighbours") == goals[0])
        #expect(goal(of: "neighbourship") == nil)
        #expect(goal(of: "sessions") == nil)
    }

    @Test func furtherSidesHaveAColumnEach() {
        var report = Self.report()
        report.add(3, of: Self.rate, side: "ssh")
        let lines = report.lines(ofScenario: "requests", sides: ["ours", "nginx", "ssh"])
        #expect(lines[0].contains("ratio  ssh"))
        #expect(lines[1].contains("1.22    3  ≥ 1.2 ×"))
    }

    @Test func whatTwoReportsShareIsCompared() {
        let lines = Self.report(ours: [22]).lines(comparedWith: Self.report(nginx: []))
        #expect(lines.count == 4)
        #expect(lines[1].hasSuffix("11   22     2.00"))
    }

    @Test func scenariosStayTogetherAndMeasuresComeOnce() {
        #expect(Self.report().measures == [Self.rate, Self.memory, Self.other])
    }

    @Test(
        arguments: [
            ([3, 1, 2], 2, 1, 3), ([4, 1, 2, 3], 2.5, 1, 4), ([5], 5, 5, 5),
        ] as [([Double], Double, Double, Double)])
    func theMiddleAndTheEnds(values: [Double], median: Double, minimum: Double, maximum: Double) throws {
        let statistics = try #require(Statistics(values))
        #expect(
            (statistics.median, statistics.minimum, statistics.maximum) == (median, minimum, maximum))
    }

    @Test func nothingHasNoMiddle() {
        #expect(Statistics([]) == nil)
        #expect(Statistics.percentile(0.5, of: []) == nil)
    }

    @Test(arguments: [(0.99, 99), (0.5, 50), (1, 100), (0, 1), (0.991, 100)])
    func percentilesAreValuesThatCame(share: Double, value: Double) {
        #expect(Statistics.percentile(share, of: (1...100).map(Double.init).reversed()) == value)
    }
}

@Suite struct GoalTests {
    @Test(
        arguments: [
            (.ratioAtLeast(1.2), 1.196, 1, true), (.ratioAtLeast(1.2), 1.19, 1, false),
            (.ratioAtMost(0.9), 0.9, 1, true), (.ratioAtMost(0.9), 0.91, 1, false),
            (.ratioAtMost(0.9), 1, nil, nil), (.ratioAtMost(0.9), 1, 0, nil),
            (.atMost(64), 64, nil, true), (.atMost(64), 64.1, nil, false),
            (.atLeast(1000), 1000, nil, true), (.atLeast(1000), 999, 1, false),
        ] as [(Goal.Bound, Double, Double?, Bool?)])
    func aGoalIsMetOrMissedOrUnknown(bound: Goal.Bound, ours: Double, reference: Double?, isMet: Bool?) {
        #expect(Goal("requests", ["x"], bound).isMet(ours: ours, reference: reference) == isMet)
    }

    @Test func aGoalIsFoundByScenarioAndWords() {
        let measure = Measure(scenario: "mixed", what: "p99 beside 8 downloads", unit: "ms")
        #expect(Goal.of(measure)?.bound == .ratioAtMost(0.7))
        #expect(Goal.of(Measure(scenario: "ready", what: measure.what, unit: "ms")) == nil)
    }

    @Test(arguments: [
        (12345.6, "12346"), (123.4, "123"), (12.34, "12.3"), (12, "12"), (1.234, "1.23"), (0.0123, "0.012"),
        (0, "0"), (-1.5, "-1.5"), (99.96, "100"),
    ]) func numbersAreShort(value: Double, text: String) { #expect(Number.short(value) == text) }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (-10_000, "-10,000"), (1_234_567, "1,234,567"),
    ])
    func thousandsHaveCommas(value: Int, text: String) { #expect(Number.thousands(value) == text) }
}
