import NIOCore
import TestSupport
import TunnelProtocol

/// Both ends of a long-poll carrier with a network of which every step is chosen from outside: small enough that all that can
/// happen can be gone through. A few bytes go each way, one by one, then the end.
struct LongPollModel: Hashable {
    enum Step: Hashable {
        case clientWrites
        case serverWrites
        case requestArrives(UInt64)
        case copyArrives(Int)
        /// One frame of it.
        case answerArrives(UInt64)
        /// Time goes on to when one of the ends wants to be asked again.
        case wait

        // What follows is a fault.

        /// - Parameter isHeard: whether the server, too, hears that the connection is gone.
        case cut(UInt64, isHeard: Bool)
        /// A part of a frame arrives, then the connection is gone.
        case breakOff(UInt64)
        /// Neither end hears of it.
        case vanish(UInt64)
        /// A second one comes that nobody hears the answer of.
        case duplicate(UInt64)
        /// Something in between lost the answer and sends the request again.
        case sendAgain(UInt64)
        /// Time goes on though something is under way.
        case delay
    }

    private struct Piece: Hashable {
        var frame: LongPollFrame
        var isLast: Bool
    }

    /// One request of the client.
    private struct Connection: Hashable {
        var number: UInt64
        var request: LongPollFrame
        var isUnderWay = true
        var handle: UInt64?
        var answers: [Piece] = []
        var hasVanished = false
    }

    private struct Copy: Hashable {
        var number: UInt64
        var request: LongPollFrame
    }

    /// Bytes that are written each way.
    private let bytes: Int
    private var client: LongPollClientMachine
    private var server: LongPollServerMachine
    private var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private var lastArrival = MonotonicInstant(nanoseconds: 1_000_000_000)
    private var connections: [Connection] = []
    private var copies: [Copy] = []
    private var handles: [UInt64: Int] = [:]
    /// Of each end; the one that follows on the bytes is the end.
    private var clientWrote = 0
    private var serverWrote = 0
    private var serverRead = 0
    private var clientRead = 0
    var faults: Int

    init(bytes: Int, faults: Int, limits: LongPollClientMachine.Limits, isSingle: Bool) throws(TestFailure) {
        self.bytes = bytes
        self.faults = faults
        client = LongPollClientMachine(limits, now: now)
        if isSingle { client.becomeSingle(now: now) }
        server = LongPollServerMachine(now: now)
        try act()
    }

    /// Whether answers are streamed.
    var isStreaming: Bool { client.isStreaming }
    private var isDone: Bool {
        client.end != nil && serverRead == bytes && clientRead == bytes
    }

    // MARK: What can happen

    var steps: [Step] {
        var steps: [Step] = []
        if clientWrote <= bytes { steps.append(.clientWrites) }
        if serverWrote <= bytes { steps.append(.serverWrites) }
        for connection in connections where !connection.hasVanished {
            if connection.isUnderWay { steps.append(.requestArrives(connection.number)) }
            if !connection.answers.isEmpty { steps.append(.answerArrives(connection.number)) }
        }
        steps += copies.indices.map { .copyArrives($0) }
        if isQuiet { steps.append(.wait) }
        guard faults > 0 else { return steps }
        for connection in connections where !connection.hasVanished {
            let number = connection.number
            steps += [.cut(number, isHeard: false), .vanish(number)]
            if connection.isUnderWay { steps.append(.duplicate(number)) }
            if connection.handle != nil { steps += [.cut(number, isHeard: true), .sendAgain(number)] }
            if !connection.answers.isEmpty { steps.append(.breakOff(number)) }
        }
        // Whoever hears nothing for so long may give up.
        if !isQuiet, deadline.since(lastArrival) < .seconds(50) { steps.append(.delay) }
        return steps
    }

    private var isQuiet: Bool {
        copies.isEmpty && connections.allSatisfy { $0.hasVanished || !$0.isUnderWay && $0.answers.isEmpty }
    }

    mutating func take(_ step: Step) throws(TestFailure) {
        switch step {
        case .clientWrites: clientWrites()
        case .serverWrites: serverWrites()
        case .requestArrives(let number): requestArrives(number)
        case .copyArrives(let place):
            let copy = copies.remove(at: place)
            _ = arrive(copy.request, copy.number)
        case .answerArrives(let number): answerArrives(number)
        case .wait: wait()
        case .cut(let number, let isHeard): cut(number, isHeard: isHeard)
        case .breakOff(let number): breakOff(number)
        case .vanish(let number): change(number) { $0.hasVanished = true }
        case .duplicate(let number):
            guard let connection = connections.first(where: { $0.number == number }) else { return }
            copies.append(Copy(number: number, request: connection.request))
        case .sendAgain(let number):
            change(number) {
                $0.isUnderWay = true
                $0.handle = nil
                $0.answers = []
            }
        case .delay: wait()
        }
        switch step {
        case .clientWrites, .serverWrites, .requestArrives, .copyArrives, .answerArrives, .wait: break
        case .cut, .breakOff, .vanish, .duplicate, .sendAgain, .delay: faults -= 1
        }
        try act()
    }

    /// Goes on without a fault until everything has come.
    mutating func heal() throws(TestFailure) {
        faults = 0
        let until = now.advanced(by: .seconds(180))
        for _ in 0..<500 where now < until {
            if isDone { return }
            guard let step = steps.first else { break }
            try take(step)
        }
        throw TestFailure(
            "it does not go on: \(serverRead) bytes up, \(clientRead) down, \(String(describing: client.end))"
        )
    }

    /// Goes through the probe, up to where all is quiet.
    mutating func probe(passes: Bool) throws(TestFailure) {
        let faults = self.faults
        defer { self.faults = faults }
        self.faults = 0
        for _ in 0..<100 {
            // What is held back comes together, when it is whole.
            let isHeldBack = !passes && !connections.contains { $0.answers.contains { $0.isLast } }
            let step = steps.first {
                switch $0 {
                case .requestArrives: true
                case .answerArrives: !isHeldBack
                default: false
                }
            }
            if let step {
                try take(step)
            } else {
                if hasProbed, isQuiet { return }
                wait()
                try act()
            }
        }
        throw TestFailure("the probe comes to nothing")
    }

    /// Whether a probe's answer was whole.
    private var hasProbed: Bool {
        now.nanoseconds >= 1_300_000_000 && connections.allSatisfy { $0.number > 1 }
    }

    // MARK: What happens

    private mutating func change(_ number: UInt64, _ change: (inout Connection) -> Void) {
        guard let place = connections.firstIndex(where: { $0.number == number }) else { return }
        change(&connections[place])
    }

    private mutating func clientWrites() {
        if clientWrote < bytes {
            client.write(ByteBuffer(integer: UInt8(clientWrote)), now: now)
        } else {
            client.finish()
        }
        clientWrote += 1
    }

    private mutating func serverWrites() {
        if serverWrote < bytes {
            server.write(ByteBuffer(integer: UInt8(serverWrote)))
        } else {
            server.finish()
        }
        serverWrote += 1
    }

    private var deadline: MonotonicInstant { min(client.deadline(now: now), server.deadline(now: now)) }

    private mutating func wait() { now = deadline }

    private mutating func requestArrives(_ number: UInt64) {
        guard let connection = connections.first(where: { $0.number == number }) else { return }
        guard server.end == nil else { return client.wasForgotten() }
        let handle = arrive(connection.request, number)
        change(number) {
            $0.isUnderWay = false
            $0.handle = handle
        }
    }

    private mutating func arrive(_ request: LongPollFrame, _ number: UInt64) -> UInt64 {
        lastArrival = now
        handles[number, default: 0] += 1
        // The same whatever came between.
        let handle = number * 16 + UInt64(handles[number] ?? 0)
        server.received(request.head, from: handle, now: now)
        if request.data.readableBytes > 0 {
            server.received(request.data, at: request.head.offset, from: handle, mayHold: true, now: now)
        }
        server.requestEnded(handle, now: now)
        return handle
    }

    private mutating func answerArrives(_ number: UInt64) {
        guard let place = connections.firstIndex(where: { $0.number == number }) else { return }
        let piece = connections[place].answers.removeFirst()
        if piece.isLast { connections.remove(at: place) }
        read(piece.frame, number, bytes: piece.frame.data.readableBytes)
        if piece.isLast { client.answered(number, now: now) }
    }

    private mutating func read(_ frame: LongPollFrame, _ number: UInt64, bytes count: Int) {
        client.received(frame.head, to: number, now: now)
        guard count > 0, !frame.head.flags.contains(.padding),
            let data = frame.data.getSlice(at: 0, length: count)
        else { return }
        let isLast = count == frame.data.readableBytes
        client.received(
            data, at: frame.head.offset, isEnd: isLast && frame.head.flags.contains(.end), to: number,
            now: now)
    }

    private mutating func breakOff(_ number: UInt64) {
        guard let piece = connections.first(where: { $0.number == number })?.answers.first else { return }
        read(piece.frame, number, bytes: piece.frame.data.readableBytes / 2)
        cut(number, isHeard: true)
    }

    private mutating func cut(_ number: UInt64, isHeard: Bool) {
        guard let connection = connections.first(where: { $0.number == number }) else { return }
        connections.removeAll { $0.number == number }
        if isHeard, let handle = connection.handle { server.left(handle, now: now) }
        client.failed(number, .cut, now: now)
    }

    // MARK: What both ends do

    private mutating func act() throws(TestFailure) {
        var actions = 0
        try read()
        while let action = client.next(now: now) {
            actions += 1
            guard actions < 100 else { throw TestFailure("the client goes round and round: \(action)") }
            switch action {
            case .send(let request):
                connections.append(Connection(number: request.number, request: request.frame))
            case .cancel(let number): cancel(number)
            }
        }
        while let action = server.next(now: now) {
            actions += 1
            guard actions < 100 else { throw TestFailure("the server goes round and round: \(action)") }
            switch action {
            case .answer(let handle, let frame), .endWith(let handle, let frame): answer(handle, frame, true)
            case .begin(let handle, let frame), .goOn(let handle, let frame): answer(handle, frame, false)
            }
        }
        // The server may be done before the client hears of it.
        guard client.end == nil || client.end == .finished || (client.end == .gone && server.end == .finished)
        else {
            throw TestFailure("the client ended: \(String(describing: client.end))")
        }
        guard server.end == nil || server.end == .finished || client.end == .finished else {
            throw TestFailure("the server ended: \(String(describing: server.end))")
        }
    }

    private mutating func cancel(_ number: UInt64) {
        guard let connection = connections.first(where: { $0.number == number }) else { return }
        connections.removeAll { $0.number == number }
        if let handle = connection.handle {
            server.left(handle, now: now)
        } else if !connection.hasVanished {
            // It may arrive all the same.
            copies.append(Copy(number: number, request: connection.request))
        }
    }

    private mutating func answer(_ handle: UInt64, _ frame: LongPollFrame, _ isLast: Bool) {
        guard let place = connections.firstIndex(where: { $0.handle == handle }) else { return }
        connections[place].answers.append(Piece(frame: frame, isLast: isLast))
    }

    private mutating func read() throws(TestFailure) {
        while let bytes = server.read() {
            for byte in bytes.readableBytesView {
                guard byte == serverRead, serverRead < clientWrote else {
                    throw TestFailure("wrong at \(serverRead) up")
                }
                serverRead += 1
            }
        }
        while let bytes = client.read() {
            for byte in bytes.readableBytesView {
                guard byte == clientRead, clientRead < serverWrote else {
                    throw TestFailure("wrong at \(clientRead) down")
                }
                clientRead += 1
            }
        }
    }
}
