import NIOCore
import TestSupport
import Testing

@testable import NameResolution

/// Who gets a place when, and what is kept; the waiters are numbers.
@Suite struct LookUpTableTests {
    private typealias Table = LookUpTable<String, Int>

    private static func table(
        places: Int = 2, perZone: Int = 2, waiting: Int = 100, names: Int = 1000
    ) -> Table {
        Table(
            limits: LookUpLimits(places: places, placesPerZone: perZone, waiting: waiting, names: names))
    }

    private static func at(_ milliseconds: UInt64) -> NIODeadline {
        .uptimeNanoseconds(milliseconds * 1_000_000)
    }

    private static func answers(_ actions: Table.Actions) -> [Int: String?] {
        var answers: [Int: String?] = [:]
        for (waiter, outcome) in actions.answers {
            switch outcome {
            case .found(let text): answers[waiter] = .some(text)
            case .nothing: answers[waiter] = .some(nil)
            case .crowded: answers[waiter] = "crowded"
            }
        }
        return answers
    }

    @Test func aNameIsLookedUpOnceForAllWhoAsk() {
        var table = Self.table()
        #expect(table.ask("a.x", in: "x", 1, at: Self.at(0)).actions.starts == ["a.x"])
        #expect(table.ask("a.x", in: "x", 2, at: Self.at(0)).actions.starts.isEmpty)
        let end = table.ended("a.x", "here", at: Self.at(10))
        #expect(Self.answers(end) == [1: "here", 2: "here"])
    }

    @Test func aResultIsKeptForSecondsAndNotWhenItProvedWrong() {
        var table = Self.table()
        _ = table.ask("a.x", in: "x", 1, at: Self.at(0))
        _ = table.ended("a.x", "here", at: Self.at(0))
        #expect(Self.answers(table.ask("a.x", in: "x", 2, at: Self.at(4999)).actions) == [2: "here"])
        table.forget("a.x")
        #expect(table.ask("a.x", in: "x", 3, at: Self.at(4999)).actions.starts == ["a.x"])
        _ = table.ended("a.x", "there", at: Self.at(5000))
        #expect(table.ask("a.x", in: "x", 4, at: Self.at(10_000)).actions.starts == ["a.x"])
        // That there is nothing counts for a second.
        #expect(Self.answers(table.ended("a.x", nil, at: Self.at(10_000))) == [4: nil])
        #expect(Self.answers(table.ask("a.x", in: "x", 5, at: Self.at(10_999)).actions) == [5: nil])
        #expect(table.ask("a.x", in: "x", 6, at: Self.at(11_000)).actions.starts == ["a.x"])
    }

    @Test func thatThereIsNothingIsNotForgottenWhenAConnectionFails() {
        var table = Self.table()
        _ = table.ask("a.x", in: "x", 1, at: Self.at(0))
        _ = table.ended("a.x", nil, at: Self.at(0))
        table.forget("a.x")
        #expect(Self.answers(table.ask("a.x", in: "x", 2, at: Self.at(999)).actions) == [2: nil])
        #expect(table.ask("a.x", in: "x", 3, at: Self.at(1000)).actions.starts == ["a.x"])
    }

    @Test func namesOfOneZoneLeavePlacesToOthers() {
        var table = Self.table(places: 3, perZone: 2)
        let names = (0..<5).map { "\($0).silent" }
        #expect(
            names.flatMap { table.ask($0, in: "silent", 1, at: Self.at(0)).actions.starts }
                == names.prefix(2).map(\.self))
        #expect(table.ask("good", in: "good", 2, at: Self.at(0)).actions.starts == ["good"])
        // A place for another zone does not let more of this one in.
        #expect(table.ended("good", "here", at: Self.at(1)).starts.isEmpty)
        #expect(table.ended(names[0], nil, at: Self.at(1)).starts == [names[2]])
    }

    @Test func aZoneThatWasSlowHasOnePlaceUntilItAnswersSooner() {
        var table = Self.table(places: 9, perZone: 3)
        _ = table.ask("0.x", in: "x", 0, at: Self.at(0))
        _ = table.ended("0.x", nil, at: Self.at(2001))
        let starts = (1...4).flatMap { table.ask("\($0).x", in: "x", $0, at: Self.at(2001)).actions.starts }
        #expect(starts == ["1.x"])
        #expect(table.ended("1.x", nil, at: Self.at(2100)).starts == ["2.x", "3.x", "4.x"])
    }

    @Test func zonesTakeTurns() {
        var table = Self.table(places: 1, perZone: 1)
        for name in ["1.a", "2.a", "3.a", "1.b", "1.c"] {
            _ = table.ask(name, in: String(name.suffix(1)), 0, at: Self.at(0))
        }
        var (order, next) = ([String](), "1.a")
        while let name = table.ended(next, nil, at: Self.at(0)).starts.first {
            order.append(name)
            next = name
        }
        #expect(order == ["2.a", "1.b", "1.c", "3.a"])
    }

    @Test func whoeverDoesNotWaitAnyMoreLeavesTheLine() {
        var table = Self.table(places: 1, perZone: 1)
        _ = table.ask("1.a", in: "a", 0, at: Self.at(0))
        let first = table.ask("2.a", in: "a", 1, at: Self.at(0)).number
        let second = table.ask("2.a", in: "a", 2, at: Self.at(0)).number
        _ = table.ask("3.a", in: "a", 3, at: Self.at(0))
        table.withdraw(first, from: "2.a")
        table.withdraw(second, from: "2.a")
        #expect(table.ended("1.a", nil, at: Self.at(0)).starts == ["3.a"])
        #expect(table.ended("3.a", nil, at: Self.at(0)).starts.isEmpty)
    }

    @Test func oneOfTwoWhoLeavesDoesNotTakeTheNameAlong() {
        var table = Self.table(places: 1, perZone: 1)
        _ = table.ask("1.a", in: "a", 0, at: Self.at(0))
        let first = table.ask("2.a", in: "a", 1, at: Self.at(0)).number
        _ = table.ask("2.a", in: "a", 2, at: Self.at(0))
        table.withdraw(first, from: "2.a")
        #expect(table.ended("1.a", nil, at: Self.at(0)).starts == ["2.a"])
        #expect(Self.answers(table.ended("2.a", "here", at: Self.at(0))) == [2: "here"])
    }

    @Test func theLongestLineGivesWayWhenTooManyWait() {
        var table = Self.table(places: 1, perZone: 1, waiting: 3)
        for number in 0...3 { _ = table.ask("\(number).a", in: "a", number, at: Self.at(0)) }
        #expect(Self.answers(table.ask("0.b", in: "b", 9, at: Self.at(0)).actions) == [3: "crowded"])
        #expect(Self.answers(table.ask("4.a", in: "a", 4, at: Self.at(0)).actions) == [4: "crowded"])
        #expect(table.ended("0.a", nil, at: Self.at(0)).starts == ["1.a"])
        #expect(table.ended("1.a", nil, at: Self.at(0)).starts == ["0.b"])
    }

    @Test func whatIsKnownIsBounded() {
        var table = Self.table(names: 10)
        for number in 0..<100 {
            let name = "\(number)"
            _ = table.ask(name, in: name, number, at: Self.at(0))
            _ = table.ended(name, "here", at: Self.at(0))
        }
        let known = (0..<100).filter {
            table.ask("\($0)", in: "\($0)", 0, at: Self.at(1)).actions.answers.count == 1
        }
        #expect(known == Array(0..<10))
    }

    /// Places and answers add up whatever happens.
    @Test(arguments: 1...20) func everyWaiterIsToldOnceOrLeaves(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var table = Self.table(places: 3, perZone: 2, waiting: 8, names: 30)
        var running: Set<String> = []
        var waiting: [Int: (number: UInt64, name: String)] = [:]
        var clock: UInt64 = 0
        func carryOut(_ actions: Table.Actions) {
            for (waiter, _) in actions.answers {
                #expect(waiting.removeValue(forKey: waiter) != nil, "seed \(seed)")
            }
            for name in actions.starts { #expect(running.insert(name).inserted, "seed \(seed)") }
            #expect(running.count <= 3, "seed \(seed)")
        }
        for waiter in 0..<2000 {
            clock += random.next(upperBound: 400 as UInt64)
            switch random.next(upperBound: 4 as UInt64) {
            case 0, 1:
                let zone = "z\(random.next(upperBound: 5 as UInt64))"
                let name = "\(random.next(upperBound: 9 as UInt64)).\(zone)"
                // Who asks is told in the very call when the name is known.
                waiting[waiter] = (0, name)
                let (number, actions) = table.ask(name, in: zone, waiter, at: Self.at(clock))
                waiting[waiter]?.number = number
                carryOut(actions)
            case 2:
                guard let name = running.min() else { continue }
                running.remove(name)
                carryOut(
                    table.ended(
                        name, random.next(upperBound: 2 as UInt64) == 0 ? nil : "here", at: Self.at(clock)))
            default:
                guard let (waiter, who) = waiting.min(by: { $0.key < $1.key }) else { continue }
                waiting[waiter] = nil
                table.withdraw(who.number, from: who.name)
            }
        }
        while let name = running.first {
            running.remove(name)
            carryOut(table.ended(name, nil, at: Self.at(clock)))
        }
        #expect(waiting.isEmpty, "seed \(seed)")
    }
}
