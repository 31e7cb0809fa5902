import NIOCore
import TestSupport
import TunnelProtocol

/// Both ends of a long-poll carrier and everything between them, with a clock moved by hand: a network that loses, repeats,
/// reorders, splits and cuts whatever it likes, until it heals. What arrives is compared as it comes.
struct LongPollWorld {
    /// What the network and the readers do, in percent of what passes, where it is not told otherwise.
    struct Weather: Sendable {
        var losesRequests = 0
        var losesAnswers = 0
        var repeats = 0
        /// Requests that are cut, be they answered or not.
        var cutsMidway = 0
        /// Answers that are cut somewhere in their bytes.
        var breaksAnswers = 0
        /// The longest time that something is under way, in milliseconds.
        var delay = 50
        /// Connections that get through at one time.
        var connections = 64
        /// Whether answers come as they are written.
        var streams = true
        /// How long an answer may be kept back, in milliseconds.
        var longestHold = 60_000
        /// Whether all is lost, and nobody is told.
        var isSilent = false
        /// Whether nothing passes until it does again.
        var isStalled = false
        /// Reads after which there is none for a while.
        var readersPause = 0
        /// The longest time of that, in milliseconds.
        var pause = 2_000
    }

    private enum Parcel {
        /// - Parameter part: how much of it arrives.
        case request(LongPollClientMachine.Request, part: Int, copy: Bool)
        case answer(number: UInt64, handle: UInt64, bytes: ByteBuffer, isLast: Bool)
        case failure(number: UInt64, LongPollClientMachine.Failure)
    }

    /// What the client has of an answer.
    private struct Reading {
        var decoder = LongPollDecoder()
        var buffer = ByteBuffer()
        var head: LongPollHead?
        var offset: UInt64 = 0
        /// Of the request, and copies of it, that of which an answer comes at all.
        var handle: UInt64?
    }

    /// A request as the server has it.
    private struct Handled {
        var number: UInt64
        /// Whether something in between made it of another.
        var isCopy: Bool
        /// Whether nothing of its answer comes.
        var isMute: Bool
        /// Of the answer, not passed on yet.
        var kept = ByteBuffer()
        var passed = 0
        /// After so many bytes the answer is cut.
        var breaksAt: Int?
        var lastArrival: MonotonicInstant
    }

    /// What is written at one end, and how much of it was read at the other.
    private struct Direction {
        let name: String
        var written = ByteBuffer()
        var read = 0
        var readAgainAt = MonotonicInstant(nanoseconds: 0)

        mutating func take(_ bytes: ByteBuffer) throws(TestFailure) {
            let count = bytes.readableBytes
            guard written.getSlice(at: read, length: count) != bytes else { return read += count }
            let expected = written.getBytes(at: read, length: min(count, written.writerIndex - read)) ?? []
            let same = zip(expected, bytes.readableBytesView).prefix { $0 == $1 }.count
            throw TestFailure("\(name): wrong at \(read + same) of \(written.writerIndex) bytes")
        }
    }

    /// What both machines can want to do in a millisecond, at the very most.
    private static let mostAtOnce = 5_000

    var weather: Weather
    private(set) var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private var random: SplitMix64
    private(set) var client: LongPollClientMachine
    private(set) var server: LongPollServerMachine
    private var up = Direction(name: "to the server")
    private var down = Direction(name: "to the client")
    private var parcels: [(at: MonotonicInstant, order: UInt64, Parcel)] = []
    private var count: UInt64 = 0
    private var handles: [UInt64: Handled] = [:]
    private var readings: [UInt64: Reading] = [:]
    /// Requests of the client that have a connection.
    private var connected: Set<UInt64> = []
    private var waiting: [LongPollClientMachine.Request] = []
    private var millisecond: UInt64 = 0
    private var actions = 0
    private(set) var requests = 0
    /// Answers that were cut somewhere in their bytes.
    private(set) var broken = 0

    init(seed: UInt64, weather: Weather, limits: LongPollClientMachine.Limits = .init()) {
        random = SplitMix64(seed: seed)
        self.weather = weather
        client = LongPollClientMachine(limits, now: now)
        server = LongPollServerMachine(now: now)
    }

    mutating func clientWrites(_ bytes: ByteBuffer) {
        up.written.writeImmutableBuffer(bytes)
        client.write(bytes, now: now)
    }

    mutating func serverWrites(_ bytes: ByteBuffer) {
        down.written.writeImmutableBuffer(bytes)
        server.write(bytes)
    }

    /// Nobody reads at either end for so long.
    mutating func readersPause(for time: Duration) {
        up.readAgainAt = now.advanced(by: time)
        down.readAgainAt = up.readAgainAt
    }

    mutating func clientFinishes() { client.finish() }
    mutating func serverFinishes() { server.finish() }

    /// Whether everything was read that was written.
    var isWhole: Bool { up.read == up.written.writerIndex && down.read == down.written.writerIndex }
    var haveEnded: Bool { client.end != nil && server.end != nil }
    /// How much was read, in words.
    var progress: String {
        "\(up.read) of \(up.written.writerIndex) bytes up, \(down.read) of \(down.written.writerIndex) down"
    }

    private mutating func chance(_ percent: Int) -> Bool {
        percent > 0 && Int.random(in: 0..<100, using: &random) < percent
    }

    private mutating func soon() -> MonotonicInstant {
        now.advanced(by: .microseconds(Int.random(in: 100...max(101, weather.delay * 1000), using: &random)))
    }

    // MARK: The clock

    /// Goes from one thing that happens to the next.
    mutating func run(for time: Duration, until isDone: (Self) -> Bool = { _ in false }) throws(TestFailure) {
        let end = now.advanced(by: time)
        while now < end, !isDone(self), !haveEnded { try step(until: end) }
    }

    private mutating func step(until end: MonotonicInstant) throws(TestFailure) {
        try act()
        let next = weather.isStalled ? nil : parcels.min { ($0.at, $0.order) < ($1.at, $1.order) }
        var time = min(end, client.deadline(now: now), server.deadline(now: now))
        if let next { time = min(time, next.at) }
        for again in [up.readAgainAt, down.readAgainAt] where again > now { time = min(time, again) }
        now = max(now.advanced(by: .nanoseconds(1)), time)
        if let next, next.at <= now {
            parcels.removeAll { $0.order == next.order }
            try happen(next.2)
        }
        try act()
        while connected.count < weather.connections, !waiting.isEmpty { send(waiting.removeFirst()) }
    }

    private mutating func act() throws(TestFailure) {
        try read()
        while let action = client.next(now: now) {
            try note(action)
            switch action {
            case .send(let request): send(request)
            case .cancel(let number): forget(number)
            }
        }
        while let action = server.next(now: now) {
            try note(action)
            switch action {
            case .answer(let handle, let frame), .endWith(let handle, let frame):
                answer(handle, frame, isLast: true)
            case .begin(let handle, let frame), .goOn(let handle, let frame):
                answer(handle, frame, isLast: false)
            }
        }
    }

    /// A machine that asks for ever, without time going on, is found out.
    private mutating func note(_ action: Any) throws(TestFailure) {
        if millisecond != now.nanoseconds / 1_000_000 {
            (millisecond, actions) = (now.nanoseconds / 1_000_000, 0)
        }
        actions += 1
        guard actions > Self.mostAtOnce else { return }
        throw TestFailure(
            "it goes round and round, the last time with \(String(describing: action).prefix(200))")
    }

    private mutating func read() throws(TestFailure) {
        while now >= up.readAgainAt, let bytes = server.read() {
            try up.take(bytes)
            if chance(weather.readersPause) { up.readAgainAt = pauseEnd() }
        }
        while now >= down.readAgainAt, let bytes = client.read() {
            try down.take(bytes)
            if chance(weather.readersPause) { down.readAgainAt = pauseEnd() }
        }
    }

    private mutating func pauseEnd() -> MonotonicInstant {
        now.advanced(by: .milliseconds(Int.random(in: 1...weather.pause, using: &random)))
    }

    // MARK: Requests

    private mutating func send(_ request: LongPollClientMachine.Request) {
        guard connected.count < weather.connections else {
            // It waits for a connection that may not come in time.
            waiting.append(request)
            return
        }
        requests += 1
        connected.insert(request.number)
        readings[request.number] = Reading()
        guard !weather.isSilent else { return }
        let length = request.frame.byteCount
        if chance(weather.losesRequests) {
            let part = Bool.random(using: &random) ? 0 : Int.random(in: 0..<length, using: &random)
            post(.request(request, part: part, copy: true), at: soon())
            post(.failure(number: request.number, .cut), at: soon())
            return
        }
        post(.request(request, part: length, copy: false), at: soon())
        if chance(weather.repeats) { post(.request(request, part: length, copy: true), at: soon()) }
        if request.frame.head.hold > 0, weather.longestHold < 60_000 {
            let time = now.advanced(by: .milliseconds(weather.longestHold))
            post(.failure(number: request.number, .cut), at: time)
        } else if chance(weather.cutsMidway) {
            post(.failure(number: request.number, .cut), at: soon())
        }
    }

    private mutating func post(_ parcel: Parcel, at time: MonotonicInstant) {
        count += 1
        parcels.append((time, count, parcel))
    }

    /// The client's connection for it is gone; the server hears of it or not.
    private mutating func forget(_ number: UInt64) {
        connected.remove(number)
        waiting.removeAll { $0.number == number }
        readings[number] = nil
        let isHeard = Bool.random(using: &random)
        for (handle, about) in handles where about.number == number && !about.isCopy {
            handles[handle] = nil
            if isHeard { server.left(handle, now: now) }
        }
        parcels.removeAll {
            switch $0.2 {
            case .answer(number, _, _, _), .failure(number, _): true
            case .request(let request, _, copy: false):
                request.number == number && Bool.random(using: &random)
            default: false
            }
        }
    }

    private mutating func arrive(
        _ request: LongPollClientMachine.Request, _ part: Int, isCopy: Bool
    ) throws(TestFailure) {
        count += 1
        let handle = count
        handles[handle] = Handled(
            number: request.number, isCopy: isCopy, isMute: isCopy && Bool.random(using: &random),
            lastArrival: now)
        if !isCopy, chance(weather.breaksAnswers) {
            handles[handle]?.breaksAt = Int.random(in: 1...30_000, using: &random)
        }
        var decoder = LongPollDecoder()
        var buffer = request.frame.encoded
        buffer.moveWriterIndex(to: buffer.readerIndex + part)
        var offset: UInt64 = 0
        while let next = try? decoder.next(&buffer) {
            switch next {
            case .head(let head):
                offset = head.offset
                server.received(head, from: handle, now: now)
            case .data(let bytes):
                server.received(bytes, at: offset, from: handle, mayHold: true, now: now)
                offset += UInt64(bytes.readableBytes)
            case .end:
                server.requestEnded(handle, now: now)
            }
        }
        if part < request.frame.byteCount {
            handles[handle] = nil
            server.left(handle, now: now)
        }
    }

    // MARK: Answers

    private mutating func answer(_ handle: UInt64, _ frame: LongPollFrame, isLast: Bool) {
        guard var about = handles[handle], !about.isMute, !weather.isSilent else { return }
        about.kept.writeImmutableBuffer(frame.encoded)
        handles[handle] = isLast ? nil : about
        guard weather.streams || isLast else { return }
        // In order, as one connection has it.
        about.lastArrival = max(soon(), about.lastArrival.advanced(by: .nanoseconds(1)))
        if let place = about.breaksAt, isLast || about.passed + about.kept.readableBytes > place {
            handles[handle] = nil
            return cut(handle, about, after: place - about.passed)
        }
        if isLast, chance(weather.losesAnswers) {
            if !about.isCopy { post(.failure(number: about.number, .cut), at: about.lastArrival) }
        } else {
            let answer = Parcel.answer(
                number: about.number, handle: handle, bytes: about.kept, isLast: isLast)
            post(answer, at: about.lastArrival)
        }
        about.passed += about.kept.readableBytes
        about.kept = ByteBuffer()
        if !isLast { handles[handle] = about }
    }

    private mutating func cut(_ handle: UInt64, _ about: Handled, after place: Int) {
        broken += 1
        let length = min(place, about.kept.readableBytes)
        if let part = about.kept.getSlice(at: 0, length: length), length > 0 {
            let answer = Parcel.answer(number: about.number, handle: handle, bytes: part, isLast: false)
            post(answer, at: about.lastArrival)
        }
        post(.failure(number: about.number, .cut), at: about.lastArrival.advanced(by: .milliseconds(1)))
        if Bool.random(using: &random) { server.left(handle, now: now) }
    }

    private mutating func happen(_ parcel: Parcel) throws(TestFailure) {
        guard !weather.isSilent else { return }
        switch parcel {
        case .request(let request, let part, let isCopy): try arrive(request, part, isCopy: isCopy)
        case .answer(let number, let handle, let bytes, let isLast): read(number, handle, bytes, isLast)
        case .failure(let number, let failure):
            guard connected.contains(number) else { return }
            forget(number)
            client.failed(number, failure, now: now)
        }
    }

    private mutating func read(_ number: UInt64, _ handle: UInt64, _ bytes: ByteBuffer, _ isLast: Bool) {
        guard var reading = readings[number], reading.handle ?? handle == handle else { return }
        reading.handle = handle
        reading.buffer.writeImmutableBuffer(bytes)
        while let next = try? reading.decoder.next(&reading.buffer) {
            switch next {
            case .head(let head):
                reading.head = head
                reading.offset = head.offset
                client.received(head, to: number, now: now)
            case .data(let bytes):
                guard let head = reading.head, !head.flags.contains(.padding) else { continue }
                let upper = reading.offset + UInt64(bytes.readableBytes)
                let isLast = upper == head.offset + UInt64(head.length)
                client.received(
                    bytes, at: reading.offset, isEnd: isLast && head.flags.contains(.end), to: number,
                    now: now)
                reading.offset = upper
            case .end: break
            }
        }
        reading.buffer.discardReadBytes()
        readings[number] = reading
        guard isLast else { return }
        connected.remove(number)
        readings[number] = nil
        parcels.removeAll { if case .failure(number, _) = $0.2 { true } else { false } }
        client.answered(number, now: now)
    }
}
