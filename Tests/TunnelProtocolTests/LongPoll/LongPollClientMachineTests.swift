import NIOCore
import Testing
import TunnelProtocol

@Suite("Long polling: the client's end")
struct LongPollClientMachineTests {
    /// A client whose clock is moved, and whose answers are made, by hand.
    private final class Subject {
        private(set) var machine: LongPollClientMachine
        private var now = MonotonicInstant(nanoseconds: 1_000_000_000)

        init(_ limits: LongPollClientMachine.Limits = .init(), isSingle: Bool = false) {
            machine = LongPollClientMachine(limits, now: now)
            if isSingle { machine.becomeSingle(now: now) }
        }

        /// What it wants to do when so much time has gone by.
        func actions(after time: Duration = .zero) -> [LongPollClientMachine.Action] {
            now = now.advanced(by: time)
            var actions: [LongPollClientMachine.Action] = []
            while actions.count < 100, let action = machine.next(now: now) { actions.append(action) }
            return actions
        }

        /// The requests among it.
        func requests(after time: Duration = .zero) -> [LongPollClientMachine.Request] {
            actions(after: time).compactMap { if case .send(let request) = $0 { request } else { nil } }
        }

        func write(_ count: Int) { machine.write(ByteBuffer(repeating: 1, count: count), now: now) }
        func readAll() { while machine.read() != nil {} }

        func head(
            _ number: UInt64, _ flags: LongPollHead.Flags = [], acknowledged: UInt64 = 0,
            limit: UInt64 = 4 << 20,
            offset: UInt64 = 0, length: UInt32 = 0
        ) {
            let head = LongPollHead(
                flags: flags, number: number, acknowledged: acknowledged, limit: limit, offset: offset,
                length: length)
            machine.received(head, to: number, now: now)
        }

        func data(_ number: UInt64, at offset: UInt64, count: Int = 1) {
            let bytes = ByteBuffer(repeating: 1, count: count)
            machine.received(bytes, at: offset, isEnd: false, to: number, now: now)
        }

        func answered(_ number: UInt64) { machine.answered(number, now: now) }

        func failed(_ number: UInt64, _ failure: LongPollClientMachine.Failure = .notConnected) {
            machine.failed(number, failure, now: now)
        }

        /// A whole answer with one piece of data.
        func answer(_ number: UInt64, at offset: UInt64, count: Int) {
            head(number, offset: offset, length: UInt32(count))
            data(number, at: offset, count: count)
            answered(number)
        }

        /// Through a probe that shows that answers pass.
        func streams() {
            _ = requests()
            head(1, .padding)
            now = now.advanced(by: .milliseconds(300))
            head(1, .padding)
            answered(1)
        }
    }

    @Test func twoPollsAreUnderWayTheFirstOfThemAProbe() throws {
        let requests = Subject().requests()
        #expect(requests.map(\.kind) == [.poll, .poll])
        #expect(requests.map(\.number) == [1, 2])
        #expect(requests.map(\.frame.head.flags) == [.probe, []])
        #expect(requests.map(\.frame.head.hold) == [250, 250])
        #expect(requests.last?.frame.head.others == [1])
    }

    @Test func whatIsWrittenGoesAtOnceAndMoreOfItIsGathered() {
        let client = Subject()
        _ = client.requests()
        client.write(10)
        #expect(client.requests().map(\.frame.data.readableBytes) == [10])
        client.write(10)
        #expect(client.requests().isEmpty)
        client.write(10)
        #expect(client.requests(after: .milliseconds(5)).map(\.frame.data.readableBytes) == [20])
    }

    @Test func whatWasLostIsSentAgain() {
        let client = Subject()
        _ = client.requests()
        client.write(10)
        let first = client.requests()
        client.failed(3)
        let again = client.requests()
        #expect(again.map(\.frame.data) == first.map(\.frame.data))
        #expect(again.map(\.number) == [4])
    }

    @Test func whatStandsBehindAGapIsAskedForAgainOnceInAWhileOnly() {
        let client = Subject()
        _ = client.requests()
        // Whatever it was idle before.
        client.answer(2, at: 0, count: 5)
        _ = client.requests(after: .seconds(20))
        var others: [[UInt64]] = []
        for number: UInt64 in 3...22 {
            client.answer(number, at: 10, count: 5)
            others += client.requests(after: .milliseconds(500)).map(\.frame.head.others)
        }
        let asking = others.count { !$0.contains { $0 > 1 } }
        #expect(others.count == 20)
        #expect((1...2).contains(asking), "\(others)")
    }

    @Test func aStreamWhoseDataTakesLongIsNotLate() {
        let client = Subject()
        client.streams()
        let stream = client.requests().first
        #expect(stream?.frame.head.flags == .stream)
        client.head(3, .padding)
        client.head(3, length: 10)
        client.failed(2)
        _ = client.requests()
        for place: UInt64 in 0..<5 {
            client.data(3, at: place)
            let actions = client.actions(after: .seconds(6))
            #expect(!actions.contains(.cancel(3)), "after \(place)")
        }
        #expect(client.actions(after: .seconds(5)).contains(.cancel(3)), "Then nothing comes any more")
    }

    @Test func anAnswerOfWhichSomethingCouldNotBeKeptIsGivenUpWhateverFollows() {
        let client = Subject()
        client.streams()
        _ = client.requests()
        client.head(3, .padding)
        for gap in 1...LongPollReceiver.mostHeld + 1 {
            client.head(3, offset: UInt64(2 * gap), length: 1)
            client.data(3, at: UInt64(2 * gap))
        }
        client.head(3, offset: 2, length: 1)
        client.data(3, at: 2)
        #expect(client.actions().first == .cancel(3))
    }

    @Test func anAnswerOfWhichSomethingCouldNotBeKeptIsNoneThatWasKept() {
        let client = Subject()
        _ = client.requests()
        client.head(2, length: 200)
        for gap in 1...LongPollReceiver.mostHeld + 1 { client.data(2, at: UInt64(2 * gap)) }
        client.answered(2)
        #expect(client.requests().map(\.frame.head.others) == [[1]], "The server is to send it again")
    }

    @Test func whereTheOtherEndHasNoRoomPollsAreHeldShorter() {
        let client = Subject()
        _ = client.requests()
        client.failed(2)
        #expect(client.requests().first?.frame.head.hold == 250, "There is room")
        client.write((4 << 20) + 10)
        var uploads = client.requests()
        while let upload = uploads.popLast() {
            client.head(upload.number, acknowledged: upload.frame.head.offset)
            client.answered(upload.number)
            uploads += client.requests()
        }
        #expect(client.machine.unsentBytes == 10)
        client.failed(3)
        #expect(client.requests().first?.frame.head.hold == 50, "The word that there is may have been lost")
    }

    @Test func whereOneRequestGetsThroughAHeldOneMakesWayForTheWordThatThereIsRoom() {
        let client = Subject(isSingle: true)
        _ = client.requests()
        var offset: UInt64 = 0
        for number: UInt64 in 1...4 {
            client.answer(number, at: offset, count: 1 << 20)
            offset += 1 << 20
            #expect(client.requests().map(\.number) == [number + 1])
        }
        #expect(client.actions(after: .seconds(1)).isEmpty)
        client.readAll()
        let actions = client.actions()
        #expect(actions.first == .cancel(5))
        guard case .send(let request) = actions.last else {
            Issue.record("It says nothing")
            return
        }
        #expect(request.frame.head.limit == 8 << 20)
        #expect(client.actions().isEmpty)
    }

    @Test func onlyWhereRequestsFailForAMinuteTheSessionIsLost() {
        let client = Subject()
        _ = client.requests()
        // As long as polls may be held, and longer.
        #expect(client.actions(after: .seconds(34)).isEmpty)
        client.failed(1)
        for _ in 0..<59 {
            for request in client.requests(after: .seconds(1)) { client.failed(request.number) }
            #expect(client.machine.end == nil)
        }
        _ = client.actions(after: .seconds(1))
        #expect(client.machine.end == .lost)
    }

    @Test func anyAnswerStartsThatMinuteAnew() {
        let client = Subject()
        _ = client.requests()
        client.failed(1)
        for second in 1...90 {
            for request in client.requests(after: .seconds(1)) {
                if (50...53).contains(second) { client.head(request.number) }
                client.failed(request.number)
            }
        }
        #expect(client.machine.end == nil)
    }

    @Test func whetherMoreThanOneConnectionGetsThroughIsTriedAgain() {
        let client = Subject(isSingle: true)
        #expect(client.requests().map(\.kind) == [.single])
        client.head(1)
        client.answered(1)
        #expect(client.requests(after: .seconds(599)).map(\.kind) == [.single])
        client.head(2)
        client.answered(2)
        #expect(client.requests(after: .seconds(2)).map(\.kind) == [.poll, .poll])
    }
}
