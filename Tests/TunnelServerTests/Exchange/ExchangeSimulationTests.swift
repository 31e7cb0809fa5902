import HTTPMessage
import HTTPServing
import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@testable import TunnelServer

/// Exchanges with whatever may happen to them, in any order.
@Suite struct ExchangeSimulationTests {
    @Test(arguments: 0..<40) func whateverHappensEveryExchangeEndsOnceAndHoldsNothing(block: Int) {
        for seed in UInt64(block * 100)..<UInt64(block * 100 + 100) {
            var random = SplitMix64(seed: seed)
            var world = ExchangeWorld(isRequestWhole: Bool.random(using: &random))
            var steps = 0
            while !world.isOver, steps < 400 {
                Self.step(&world, &random)
                steps += 1
            }
            // In the end the caller goes.
            if !world.isOver { world.isCut == nil ? world.leave() : world.tellOut() }
            #expect(world.faults.isEmpty, "seed \(seed)")
            #expect(world.outcomes.count == 1, "seed \(seed)")
            #expect(world.place == .none && world.taken == world.givenBack, "seed \(seed)")
            #expect(world.machine.attempts <= ExchangeMachine.mostAttempts, "seed \(seed)")
        }
    }

    private static func step(_ world: inout ExchangeWorld, _ random: inout SplitMix64) {
        world.now = world.now + .milliseconds(Int64.random(in: 0...500, using: &random))
        if Int.random(in: 0..<60, using: &random) == 0 {
            world.now = world.now + .seconds(Int64.random(in: 1...90, using: &random))
        }
        guard world.isCut == nil else { return world.tellOut() }
        switch Int.random(in: 0..<40, using: &random) {
        case 0: return world.leave()
        case 1:
            return world.abort(
                [.cutShort, .malformedRequest(HTTPMessageError(.malformed, ""))].randomElement(using: &random)
                    ?? .cutShort)
        case 2: return world.serverStops()
        case 3...6:
            return world.checkTime(isKnown: Bool.random(using: &random), isUp: Bool.random(using: &random))
        default: break
        }
        switch world.place {
        case .none: look(&world, &random)
        case .queued: if Bool.random(using: &random) { offer(&world, &random) }
        case .offered: break
        case .attached:
            if Bool.random(using: &random) {
                callerDoes(&world, &random)
            } else {
                sessionDoes(&world, &random)
            }
        }
    }

    private static func look(_ world: inout ExchangeWorld, _ random: inout SplitMix64) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
            world.fail(
                [.tunnelUnknown, .tooManyWaiting, .tooManyGuesses].randomElement(using: &random) ?? .stalled)
        case 1...3:
            let end = Bool.random(using: &random) ? world.now + .seconds(5) : nil
            world.enqueue(until: end, isStopping: Int.random(in: 0..<10, using: &random) == 0)
        default: offer(&world, &random)
        }
    }

    private static func offer(_ world: inout ExchangeWorld, _ random: inout SplitMix64) {
        world.offer(
            takes: Int.random(in: 0..<4, using: &random) > 0, isTaken: Bool.random(using: &random))
    }

    private static func callerDoes(_ world: inout ExchangeWorld, _ random: inout SplitMix64) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0
        where world.machine.takesBytes && (world.isRaw ? !world.isRawRequestOver : !world.isRequestWhole):
            world.sendRequest(Int.random(in: 1...9, using: &random), takesMore: Bool.random(using: &random))
        case 1 where world.isRaw && !world.isRawRequestOver: world.endRawRequest()
        case 1 where world.machine.takesBytes && !world.isRequestWhole: world.endRequest()
        case 2 where world.waiting > 0: world.take(Int.random(in: 1...world.waiting, using: &random))
        default: break
        }
    }

    private static func sessionDoes(_ world: inout ExchangeWorld, _ random: inout SplitMix64) {
        let isLast = Int.random(in: 0..<5, using: &random) == 0
        switch Int.random(in: 0..<16, using: &random) {
        case 0:
            let ends: [StreamTermination] = [
                .refused, .refused, .originFailed, .sessionLost, .tooSlow, .malformedMessage,
            ]
            world.reset(ends.randomElement(using: &random) ?? .refused)
        case 1: world.streamBecameWritable()
        case 2: world.interim()
        case 3 where world.heads > 0: world.trailers()
        // Once all is written nothing follows.
        case _ where world.isAnswerOver: break
        case 4...6: try? world.head(length(&random), isLast: isLast)
        default:
            world.data(
                Int.random(in: 0...6, using: &random), isLast: isLast, keepsUp: Bool.random(using: &random))
        }
    }

    private static func length(_ random: inout SplitMix64) throws -> AnswerLength {
        var head = ResponseHead(status: 200)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: head.status = 101
        case 1: head.fields.append(.contentLength, String(Int.random(in: 0...20, using: &random)))
        default: break
        }
        return try AnswerLength(settling: &head, toMethod: "GET", isLast: false)
    }
}
