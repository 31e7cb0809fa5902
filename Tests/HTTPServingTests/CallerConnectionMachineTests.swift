import HTTPMessage
import NIOCore
import Testing

@testable import HTTPServing

/// One HTTP/1 connection without I/O; its exchanges are numbers.
@Suite struct CallerConnectionMachineTests {
    private typealias Machine = CallerConnectionMachine<Int>

    private static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    private static func bytes(_ text: String) -> ByteBuffer {
        ByteBuffer(string: text.replacing("|", with: "\r\n"))
    }

    private static func receive(_ text: String, _ machine: inout Machine, at seconds: Int64) -> Bool {
        machine.received(bytes(text), now: at(seconds))
    }

    private static func connected() -> Machine {
        var machine = Machine(ConnectionLimits())
        machine.connected(now: at(0))
        return machine
    }

    /// What came next, in a word.
    private static func next(
        _ machine: inout Machine, isWritable: Bool = true, takesBytes: Bool = true
    ) -> String {
        switch machine.next(isWritable: isWritable, takesBytes: { _ in takesBytes }) {
        case .nothing: "nothing"
        case .partOfHead(let deadline): "part until \(deadline.uptimeNanoseconds / 1_000_000_000)"
        case .request(let head, let framing): "\(head.method) \(head.target) \(framing)"
        case .body(let bytes, let exchange): "\(exchange): \(String(buffer: bytes))"
        case .requestEnd(let trailers, let exchange):
            "\(exchange) ends\(trailers == nil ? "" : " with trailers")"
        case .rest: "rest"
        case .restEnd: "rest ends"
        case .raw(let bytes, let exchange): "\(exchange) raw: \(String(buffer: bytes))"
        case .rawEnd(let exchange): "\(exchange) raw ends"
        case .malformedHead(_, let method, let preface):
            "malformed \(method)\(preface.map { " \($0)" } ?? "")"
        case .http2(let bytes): "HTTP/2 \(bytes.readableBytes)"
        case .malformedBody(_, let exchange): "\(exchange) malformed"
        case .malformedRest: "malformed rest"
        }
    }

    private static func due(_ machine: Machine, _ seconds: Int64, isWritable: Bool = true) -> String {
        switch machine.due(isWritable: isWritable, patience: .seconds(40), now: at(seconds)) {
        case .nothing(.distantFuture): "never"
        case .nothing(let deadline): "\(deadline.uptimeNanoseconds / 1_000_000_000)"
        case .exchange(let exchange): "exchange \(exchange)"
        case .headTimeout(let method): "408 to \(method)"
        case .idle: "idle"
        case .stuck: "stuck"
        case .restTimeout: "rest"
        case .farewell: "farewell"
        }
    }

    /// A machine whose exchange 1 is under way, for a request with this framing.
    private static func exchanging(_ framing: BodyFraming = .none, keepAlive: Bool = true) -> Machine {
        var machine = connected()
        let head = RequestHead(method: "POST", target: "/")
        machine.began(1, HTTP1Exchange(head, framing, keepAlive: keepAlive, limits: HTTPLimits()))
        return machine
    }

    private static func farewell(_ manner: Farewell.Manner = .linger) -> Farewell {
        let patience = Farewell.Patience(stalled: .seconds(40), silence: .seconds(2), lingering: .seconds(30))
        return Farewell(manner, isDelimited: true, patience: patience, now: at(0))
    }

    @Test func headsAndBodiesComeOneAfterAnother() {
        var machine = Self.connected()
        #expect(Self.next(&machine) == "nothing")
        #expect(Self.receive("GET /a HT", &machine, at: 3))
        #expect(Self.next(&machine) == "part until 13")
        #expect(Self.receive("TP/1.1|Host: a|Content-Length: 3||abcGET", &machine, at: 4))
        #expect(Self.next(&machine, isWritable: false) == "nothing")
        #expect(Self.next(&machine) == "GET /a length(3)")
        let head = RequestHead(method: "GET", target: "/a")
        machine.began(7, HTTP1Exchange(head, .length(3), keepAlive: true, limits: HTTPLimits()))
        #expect(Self.next(&machine, takesBytes: false) == "nothing")
        #expect(Self.next(&machine) == "7: abc")
        #expect(Self.next(&machine) == "7 ends")
        // The next request waits for the answer.
        #expect(Self.next(&machine) == "nothing")
        #expect(machine.isPaused(isWritable: true) { _ in true })
        machine.tidy()
        #expect(machine.goesOn(isStopping: false, now: Self.at(5)) == Self.at(80))
        #expect(Self.next(&machine) == "part until 15")
    }

    @Test func onlyWhoWaitsForTheNextRequestIsShed() {
        var machine = Self.connected()
        let new = machine.shed(now: Self.at(1))
        #expect(!new && Self.due(machine, 9) == "10")
        machine = Self.exchanging()
        let busy = machine.shed(now: Self.at(1))
        #expect(!busy && !machine.leaving.isAsked)
        _ = machine.goesOn(isStopping: false, now: Self.at(5))
        let idle = machine.shed(now: Self.at(5))
        #expect(idle && Self.due(machine, 5) == "6" && Self.due(machine, 6) == "idle")
        machine = Self.exchanging()
        _ = machine.goesOn(isStopping: false, now: Self.at(5))
        let long = machine.shed(now: Self.at(30))
        #expect(long && Self.due(machine, 30) != "idle", "what has come already is read first")
        #expect(Self.due(machine, 31) == "idle")
        machine = Self.exchanging()
        #expect(machine.goesOn(isStopping: false, isShed: true, now: Self.at(5)) == Self.at(6))
        machine = Self.exchanging()
        _ = machine.goesOn(isStopping: false, now: Self.at(5))
        _ = Self.receive("GET", &machine, at: 7)
        let asking = machine.shed(now: Self.at(7))
        #expect(!asking && Self.due(machine, 8) == "17")
    }

    @Test func whatIsLeftOfARequestIsDropped() {
        var machine = Self.exchanging(.length(4))
        #expect(Self.receive("ab", &machine, at: 1))
        #expect(machine.goesOn(isStopping: false, now: Self.at(1)) == Self.at(11))
        #expect(Self.next(&machine) == "rest")
        #expect(Self.next(&machine) == "nothing")
        #expect(Self.due(machine, 10) == "11" && Self.due(machine, 11) == "rest")
        #expect(Self.receive("cd", &machine, at: 2))
        #expect(Self.next(&machine) == "rest")
        #expect(Self.next(&machine) == "rest ends")
    }

    @Test func whatMakesNoSenseIsToldByWhereItStands() {
        for (text, told) in [
            ("HEAD / nonsense||", "malformed HEAD"), ("GET / nonsense||", "malformed GET"),
            ("PROXY TCP4||", "malformed GET proxyProtocol"),
        ] {
            var machine = Self.connected()
            _ = machine.received(Self.bytes(text), now: Self.at(0))
            #expect(Self.next(&machine) == told)
        }
        var machine = Self.exchanging(.chunked)
        _ = Self.receive("x|", &machine, at: 0)
        #expect(Self.next(&machine) == "1 malformed")
        machine = Self.exchanging(.chunked)
        _ = machine.goesOn(isStopping: false, now: Self.at(0))
        _ = Self.receive("x|", &machine, at: 0)
        #expect(Self.next(&machine) == "malformed rest")
    }

    @Test func rawBytesComeBeforeTheEndBehindThem() {
        var machine = Self.exchanging()
        machine.switchedProtocols()
        #expect(machine.isRaw && Self.due(machine, 1_000_000) == "exchange 1")
        _ = Self.receive("abc", &machine, at: 0)
        #expect(machine.inputEnded() == .workOff)
        #expect(Self.next(&machine, takesBytes: false) == "nothing")
        #expect(machine.isPaused(isWritable: true) { _ in false })
        #expect(Self.next(&machine) == "1 raw: abc")
        #expect(Self.next(&machine) == "1 raw ends")
    }

    /// What the caller sent may still be to be taken then.
    @Test func aRawConnectionThatIsClosedInOrderLeavesItsExchangeAlone() {
        for (hasInputEnded, hasOutputEnded) in [(true, true), (true, false), (false, true), (false, false)] {
            var machine = Self.exchanging()
            machine.switchedProtocols()
            if hasInputEnded { _ = machine.inputEnded() }
            if hasOutputEnded { machine.outputEnded() }
            #expect(machine.closed() == (hasInputEnded && hasOutputEnded ? nil : 1))
            #expect(machine.current == (hasInputEnded && hasOutputEnded ? 1 : nil))
        }
    }

    @Test func theEndOfTheCallersDirectionIsItsLeaveButForOneThatMayStillRead() {
        var machine = Self.connected()
        #expect(machine.inputEnded() == .close)
        machine = Self.exchanging()
        #expect(machine.inputEnded() == .close)
        machine.saysFarewell(Self.farewell(), isBroken: false, isLeaving: false)
        #expect(machine.inputEnded() == .goesOn)
    }

    @Test func timeIsUpDependsOnWhatIsWaitedFor() {
        var machine = Self.connected()
        #expect(Self.due(machine, 9) == "10" && Self.due(machine, 10) == "idle")
        #expect(Self.due(machine, 39, isWritable: false) == "40")
        #expect(Self.due(machine, 40, isWritable: false) == "stuck")
        _ = Self.receive("HEAD ", &machine, at: 5)
        #expect(Self.due(machine, 14) == "15" && Self.due(machine, 15) == "408 to HEAD")
        machine = Self.exchanging()
        #expect(Self.due(machine, 1_000_000) == "exchange 1")
        _ = machine.goesOn(isStopping: false, now: Self.at(20))
        #expect(Self.due(machine, 94) == "95" && Self.due(machine, 95) == "idle")
        machine.saysFarewell(Self.farewell(), isBroken: false, isLeaving: false)
        #expect(Self.due(machine, 0) == "farewell")
    }

    @Test func whoIsToldThatItsAnswerBrokeOffIsToldOnce() {
        var machine = Self.exchanging()
        machine.saysFarewell(Self.farewell(.reset), isBroken: true, isLeaving: false)
        let (first, second) = (machine.takeBroken(), machine.takeBroken())
        #expect(first == 1 && second == nil)
        #expect(machine.current == nil && machine.closed() == nil)
    }

    @Test func aServerThatStopsGivesEachAMoment() {
        var machine = Self.connected()
        guard case .checkTime = machine.stop(isWritable: true, now: Self.at(0)) else {
            Issue.record("it looks at the time")
            return
        }
        #expect(Self.due(machine, 0) == "1" && Self.due(machine, 1) == "idle")
        #expect(machine.awaitsRequest(now: Self.at(0)) && machine.leaving.isAsked)
        machine = Self.connected()
        guard case .close = machine.stop(isWritable: false, now: Self.at(0)) else {
            Issue.record("who does not even read is closed")
            return
        }
        machine = Self.exchanging()
        guard case .exchange(1) = machine.stop(isWritable: true, now: Self.at(5)) else {
            Issue.record("the exchange is told")
            return
        }
        #expect(!machine.awaitsRequest(now: Self.at(5)))
        // Behind its answer one more request may come for a second.
        #expect(machine.goesOn(isStopping: true, now: Self.at(8)) == Self.at(9))
    }

    @Test func aConnectionLeavesByTheEarliestTimeThatItWasTold() {
        var leaving = ConnectionLeaving.no
        #expect(!leaving.isAsked && leaving.deadline == .distantFuture)
        leaving.extend(to: Self.at(1))
        #expect(!leaving.isAsked)
        leaving.ask()
        #expect(leaving.isAsked && leaving.deadline == .distantFuture)
        leaving.go(by: Self.at(7))
        leaving.go(by: Self.at(9))
        leaving.ask()
        #expect(leaving == .by(Self.at(7)))
        leaving.extend(to: Self.at(9))
        #expect(leaving == .by(Self.at(9)))
    }

    @Test func whatComesBehindAHandshakeIsTheSessions() {
        var machine = Self.connected()
        _ = Self.receive("GET / HTTP/1.1|Host: a||frames", &machine, at: 0)
        #expect(Self.next(&machine) == "GET / none")
        #expect(String(buffer: machine.leavesHTTP()) == "frames")
        #expect(!Self.receive("x", &machine, at: 0) && Self.due(machine, 99) == "never")
    }
}
