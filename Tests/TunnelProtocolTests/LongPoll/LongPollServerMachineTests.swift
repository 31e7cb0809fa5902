import NIOCore
import Testing
import TunnelProtocol

@Suite("Long polling: the server's end")
struct LongPollServerMachineTests {
    /// A server whose clock is moved, and whose requests are made, by hand.
    private final class Subject {
        private(set) var machine: LongPollServerMachine
        private var now = MonotonicInstant(nanoseconds: 1_000_000_000)

        init() { machine = LongPollServerMachine(now: now) }

        func actions(after time: Duration = .zero) -> [LongPollServerMachine.Action] {
            now = now.advanced(by: time)
            var actions: [LongPollServerMachine.Action] = []
            while actions.count < 100, let action = machine.next(now: now) { actions.append(action) }
            return actions
        }

        /// The frames of whole answers, by their handles.
        func answers(after time: Duration = .zero) -> [UInt64: LongPollFrame] {
            actions(after: time).reduce(into: [:]) {
                if case .answer(let handle, let frame) = $1 { $0[handle] = frame }
            }
        }

        func write(_ text: String) { machine.write(ByteBuffer(string: text)) }
        func read() -> String? { machine.read().map { String(buffer: $0) } }
        func finish() { machine.finish() }
        func left(_ handle: UInt64) { machine.left(handle, now: now) }

        /// A whole one.
        func request(
            _ handle: UInt64, number: UInt64, hold: UInt16 = 250, flags: LongPollHead.Flags = [],
            acknowledged: UInt64 = 0, others: [UInt64] = [], offset: UInt64 = 0, _ text: String = "",
            mayHold: Bool = true
        ) {
            let head = LongPollHead(
                flags: flags, hold: hold, number: number, acknowledged: acknowledged, limit: 4 << 20,
                offset: offset,
                length: UInt32(text.utf8.count), others: others)
            machine.received(head, from: handle, now: now)
            if !text.isEmpty {
                machine.received(
                    ByteBuffer(string: text), at: offset, from: handle, mayHold: mayHold, now: now)
            }
            machine.requestEnded(handle, now: now)
        }

        /// One that has told how much it takes, so that it holds polls.
        func settle() {
            request(100, number: 1, hold: 0)
            _ = actions()
        }
    }

    private let server = Subject()

    @Test func aPollIsHeldUntilThereIsSomethingToSay() {
        server.settle()
        server.request(1, number: 2)
        #expect(server.answers(after: .seconds(24)).isEmpty)
        server.write("hello")
        let answer = server.answers()[1]
        #expect(answer.map { String(buffer: $0.data) } == "hello")
        #expect(answer?.head.number == 2)
    }

    @Test func aPollIsAnsweredWhenItsTimeIsUp() {
        server.settle()
        server.request(1, number: 2)
        #expect(server.answers(after: .seconds(25))[1]?.data.readableBytes == 0)
    }

    @Test func anUploadIsAnsweredAtOnce() {
        server.request(1, number: 1, hold: 0, "abc")
        #expect(server.answers()[1]?.head.acknowledged == 3)
        #expect(server.read() == "abc")
    }

    @Test func aRepeatedRequestIsAnsweredTheSameAndHasNoEndThatCameSince() {
        server.settle()
        server.request(1, number: 2)
        server.write("hello")
        let first = server.answers()[1]
        server.finish()
        server.request(2, number: 2)
        #expect(server.answers()[2] == first)
        // A client that has heard it acknowledges that, and is told the end.
        server.request(3, number: 3, acknowledged: 5)
        #expect(server.answers()[3]?.head.flags == .end)
        #expect(server.machine.end == nil)
    }

    @Test func whatWasAnsweredToARequestThatIsOverIsSentAgain() {
        server.settle()
        server.request(1, number: 2)
        server.write("hello")
        let first = server.answers()[1]
        server.request(2, number: 3, others: [2])
        #expect(server.answers().isEmpty, "It may be on its way")
        server.request(3, number: 4, others: [3])
        #expect(server.answers()[2]?.data == first?.data)
    }

    @Test func whatWasNotKeptIsToldToBeSentAgain() {
        server.request(1, number: 1, hold: 0, offset: 5, "abc", mayHold: false)
        let answer = server.answers()[1]
        #expect(answer?.head.flags == .dropped)
        #expect(answer?.head.acknowledged == 0)
    }

    @Test func ofMorePollsThanMayWaitTheFirstIsAnswered() {
        server.settle()
        for number: UInt64 in 2...4 {
            server.request(number, number: number, others: Array(2..<number))
        }
        #expect(Array(server.answers().keys) == [2])
    }

    @Test func aRequestThatNobodyWaitsForTakesNothingAway() {
        server.settle()
        server.request(1, number: 5)
        server.request(2, number: 3)
        server.write("hello")
        let answers = server.answers()
        #expect(answers[2]?.data.readableBytes == 0)
        #expect(answers[1]?.data.readableBytes == 5)
    }

    @Test func twoCopiesOfAStreamHearTheSame() {
        server.settle()
        server.request(1, number: 2, flags: .stream)
        server.write("hello")
        _ = server.actions()
        server.request(2, number: 2, flags: .stream)
        server.write(" world")
        var heard: [UInt64: String] = [1: "hello"]
        for action in server.actions() {
            guard case .goOn(let handle, let frame) = action else { continue }
            heard[handle, default: ""] += String(buffer: frame.data)
        }
        #expect(heard == [1: "hello world", 2: "hello world"])
    }

    @Test func aCopyOfAStreamHearsAllThatWasSaidBefore() {
        server.settle()
        server.request(1, number: 2, flags: .stream)
        server.write(String(repeating: "a", count: 500_000))
        _ = server.actions()
        server.request(2, number: 2, flags: .stream)
        var place: UInt64 = 0
        for action in server.actions() {
            guard case .goOn(2, let frame) = action else { continue }
            #expect(frame.head.offset == place)
            place += UInt64(frame.data.readableBytes)
        }
        #expect(place == 500_000)
    }

    @Test func whoAcknowledgesWhatWasNeverSentEndsIt() {
        server.request(1, number: 1, acknowledged: 1)
        #expect(server.machine.end == .acknowledgedTooMuch)
        #expect(server.actions().isEmpty)
    }

    @Test func aMinuteWithoutARequestEndsIt() {
        _ = server.actions(after: .seconds(59))
        #expect(server.machine.end == nil)
        _ = server.actions(after: .seconds(1))
        #expect(server.machine.end == .silent)
    }

    @Test func thatMinuteBeginsWhenTheLastRequestIsOver() {
        server.settle()
        server.request(1, number: 2, hold: 550)
        #expect(server.answers(after: .seconds(55)).count == 1)
        _ = server.actions(after: .seconds(50))
        #expect(server.machine.end == nil, "The client may have had no path for that long")
        server.request(2, number: 3, hold: 550)
        _ = server.actions(after: .seconds(40))
        server.left(2)
        _ = server.actions(after: .seconds(59))
        #expect(server.machine.end == nil)
        _ = server.actions(after: .seconds(1))
        #expect(server.machine.end == .silent)
    }
}
