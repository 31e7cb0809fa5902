import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import Testing
import TunnelProtocol

@testable import TunnelServer

/// What is special of an exchange that is raw from its beginning.
@Suite struct RawExchangeTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    /// Both directions are carried.
    private static func open(idle: TimeAmount?) throws -> ExchangeMachine {
        var machine = ExchangeMachine(
            isRequestWhole: true,
            ExchangePatience.Limits(queue: .seconds(30), stalled: .seconds(60), idle: idle), now: start)
        machine.opened(takesBytes: true)
        var head = RawStream.grant
        let length = try AnswerLength(settling: &head, toMethod: "CONNECT", isLast: false)
        #expect(machine.headCame(length, isLast: false, now: start).caller == .pass)
        return machine
    }

    @Test func silenceIsNobodysFaultUnlessItIsLimited() throws {
        #expect(try Self.open(idle: nil).due(Self.at(1_000_000)) == .nothing(until: .distantFuture))
        let limited = try Self.open(idle: .seconds(100))
        // The limit of requests is none of it.
        #expect(limited.due(Self.at(99)) == .nothing(until: Self.at(100)))
        #expect(limited.due(Self.at(100)) == .stalled)
    }

    /// The other direction may go on for ever.
    @Test func itStaysRawWhenOneDirectionHasEnded() throws {
        var machine = try Self.open(idle: nil)
        #expect(machine.isRaw)
        _ = machine.dataCame(0, isLast: true, now: Self.at(1))
        #expect(machine.wrote(0, isLast: true, isWritable: true).caller == .endRawOutput(isLast: false))
        #expect(machine.isRaw)
        #expect(machine.fail(.overdrawn).caller == .cut(isWhole: false))
        #expect(!machine.isRaw)
    }

    @Test func bytesEitherWayAreNoSilence() throws {
        var machine = try Self.open(idle: .seconds(100))
        machine.requestSent(1, takesMore: true, now: Self.at(90))
        #expect(machine.due(Self.at(100)) == .nothing(until: Self.at(190)))
        #expect(machine.dataCame(1, isLast: false, now: Self.at(180)).caller == .pass)
        #expect(machine.due(Self.at(200)) == .nothing(until: Self.at(280)))
        #expect(machine.rawRequestEnded().tunnel == .finish)
        #expect(machine.due(Self.at(280)) == .stalled)
    }

    @Test func oneThatWasSilentForTooLongIsCut() throws {
        var machine = try Self.open(idle: .seconds(100))
        let actions = machine.stalled(undelivered: 0, waiting: 0, now: Self.at(100))
        #expect(actions.tunnel == .reset(.cancelled) && actions.caller == .cut(isWhole: false))
        #expect(machine.due(Self.at(200)) == .nothing(until: .distantFuture))
        #expect(machine.answerIsOut(missing: 0).caller == .finish(.timeout, missing: 0))
    }

    /// It reads, though slowly: that shows only where the kernel is asked.
    @Test func aCallerThatTakesWhatWaitsIsNotSilent() throws {
        var machine = try Self.open(idle: .seconds(100))
        #expect(
            machine.stalled(undelivered: 10, waiting: 0, now: Self.at(100)).caller
                == .ring(by: Self.at(160)))
        #expect(
            machine.stalled(undelivered: 10, waiting: 5, now: Self.at(200)).caller == .giveUp(missing: 5))
    }

    @Test func sessionsThatCannotCarryItAreLeftForThreeTries() {
        var machine = ExchangeMachine(
            isRequestWhole: true,
            ExchangePatience.Limits(queue: .seconds(30), stalled: .seconds(60)), now: Self.start)
        for _ in 1..<ExchangeMachine.mostAttempts {
            #expect(machine.sessionCannotCarryIt().tunnel == .lookAgain)
        }
        let actions = machine.sessionCannotCarryIt()
        #expect(actions.tunnel == .release && actions.caller == .answer(.noRawStreams))
        #expect(machine.sessionCannotCarryIt() == ExchangeActions())
    }
}
