import HTTPMessage
import NIOCore
import NIOEmbedded
import Testing

import struct TestSupport.SplitMix64

@testable import OriginHTTP

/// Connection, exchange and pool on embedded channels.
struct OriginConnectionTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    // MARK: Writing

    @Test func headAndFirstBytesLeaveInOneWrite() throws {
        let origin = EmbeddedOrigin()
        let upload = try origin.begin("POST", framing: .chunked)
        #expect(
            try origin.written() == [
                "POST / HTTP/1.1\r\nHost: origin:8080\r\nTransfer-Encoding: chunked\r\n\r\n"
            ])
        upload.exchange?.send(ByteBuffer(string: "hello"))
        upload.exchange?.send(ByteBuffer(string: "you"))
        upload.exchange?.end(trailers: nil)
        #expect(try origin.written() == ["5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"])
        try origin.receive(Self.answer)
        #expect(upload.body == "ok" && upload.isEnded)
        let second = try origin.start(RequestHead(method: "POST", target: "/2"), framing: .length(2))
        second.exchange?.send(ByteBuffer(string: "hi"))
        #expect(
            try origin.written() == [
                "POST /2 HTTP/1.1\r\nHost: origin:8080\r\nContent-Length: 2\r\n\r\nhi"
            ])
    }

    @Test func largeBytesAreNotCopied() throws {
        let origin = EmbeddedOrigin()
        let upload = try origin.begin("POST", framing: .chunked)
        _ = try origin.written()
        let large = ByteBuffer(repeating: 1, count: 10_000)
        let address = large.withUnsafeReadableBytes { Int(bitPattern: $0.baseAddress) }
        upload.exchange?.send(large)
        origin.loop.run()
        var writes: [ByteBuffer] = []
        while let bytes = try origin.channels[0].readOutbound(as: ByteBuffer.self) { writes.append(bytes) }
        #expect(writes.map(\.readableBytes) == [6, 10_000, 2])
        #expect(writes[1].withUnsafeReadableBytes { Int(bitPattern: $0.baseAddress) } == address)
    }

    /// An origin that sends chunks of a byte: the event loop looks at its other sockets in between.
    @Test func tinyChunksAreHandedOnInTurns() throws {
        let origin = EmbeddedOrigin()
        let download = try origin.begin()
        _ = try origin.written()
        let count = 20_000
        let chunks = String(repeating: "1\r\nx\r\n", count: count)
        try origin.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n")
        var turns = 0
        while !download.isEnded, turns < 100 {
            let before = download.body.utf8.count
            origin.loop.advanceTime(by: .microseconds(50))
            #expect(download.body.utf8.count - before <= 64 * 16)
            turns += 1
        }
        #expect(download.body.utf8.count == count && download.isEnded)
        #expect(turns >= 19)
    }

    @Test func connectionsThatSendTinyChunksShareTheTurnsOfTheirLoop() throws {
        let origin = EmbeddedOrigin()
        let downloads = try (0..<3).map { _ in try origin.begin() }
        let chunks = String(repeating: "1\r\nx\r\n", count: 10_000)
        for index in downloads.indices {
            try origin.receive(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n", on: index)
        }
        for _ in 0..<10 {
            let before = downloads.map(\.body.utf8.count)
            origin.loop.advanceTime(by: .microseconds(50))
            let gained = zip(downloads, before).map { $0.body.utf8.count - $1 }
            #expect(gained.allSatisfy { $0 > 0 } && gained.reduce(0, +) <= 64 * 16)
        }
        downloads[0].isCancelled = true
        downloads[0].exchange?.cancel()
        for _ in 0..<40 { origin.loop.advanceTime(by: .microseconds(50)) }
        #expect(downloads.map(\.isEnded) == [false, true, true])
        #expect(downloads.allSatisfy { $0.violations.isEmpty })
    }

    @Test func sendersAreStoppedWhileTheChannelIsFull() throws {
        let origin = EmbeddedOrigin()
        let upload = try origin.begin("POST", framing: .chunked)
        #expect(upload.exchange?.isWritable == true)
        origin.channels[0].isWritable = false
        origin.channels[0].pipeline.fireChannelWritabilityChanged()
        #expect(upload.exchange?.isWritable == false)
        #expect(upload.writableCalls == 0)
        origin.channels[0].isWritable = true
        origin.channels[0].pipeline.fireChannelWritabilityChanged()
        #expect(upload.writableCalls == 1)
        origin.channels[0].pipeline.fireChannelWritabilityChanged()
        #expect(upload.writableCalls == 1)
    }

    // MARK: Reading

    @Test func whilePausedNothingIsReadNorHandedOver() throws {
        let origin = EmbeddedOrigin()
        let download = try origin.begin()
        download.exchange?.pauseReading()
        try origin.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        let reads = origin.readCounters[0].count
        for _ in 0..<3 { origin.channels[0].read() }
        #expect(origin.readCounters[0].count == reads)
        #expect(download.statuses.isEmpty)
        download.exchange?.resumeReading()
        #expect(origin.readCounters[0].count == reads + 1)
        #expect(download.statuses == [200] && download.body == "o")
        try origin.receive("k")
        #expect(download.isEnded)
    }

    @Test func bytesWithoutARequestCloseTheConnection() throws {
        let origin = EmbeddedOrigin()
        _ = try origin.begin()
        try origin.receive(Self.answer)
        #expect(try origin.pool.idleCount == 1)
        try origin.receive("HTTP/1.1 408 Too slow\r\n\r\n")
        #expect(try origin.pool.idleCount == 0)
        #expect(!origin.channels[0].isActive)
    }

    @Test func closedIdleConnectionsAreForgotten() throws {
        let origin = EmbeddedOrigin()
        _ = try origin.begin()
        try origin.receive(Self.answer)
        origin.closeByOrigin(0)
        #expect(try origin.pool.idleCount == 0)
        _ = try origin.begin("POST")
        #expect(origin.channels.count == 2)
    }

    // MARK: Upgraded

    private func upgraded(_ origin: EmbeddedOrigin) throws -> EmbeddedExchange {
        let fields = HeaderFields([.connection: "upgrade", .upgrade: "raw"])
        let exchange = try origin.begin(fields: fields)
        try origin.receive("HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n")
        #expect(exchange.statuses == [101])
        return exchange
    }

    @Test(arguments: [false, true]) func anUpgradedOriginThatEndsAndThenBreaksFails(isPaused: Bool) throws {
        let origin = EmbeddedOrigin()
        let exchange = try upgraded(origin)
        if isPaused { exchange.exchange?.pauseReading() }
        origin.closeByOrigin(0)
        #expect(exchange.isEnded != isPaused)
        #expect(exchange.error == nil)
        origin.channels[0].close(promise: nil)
        origin.loop.run()
        exchange.exchange?.resumeReading()
        #expect(exchange.isEnded)
        #expect(exchange.error?.code == .closedEarly)
        #expect(exchange.violations.isEmpty)
        #expect(try origin.pool.active == 0)
    }

    @Test func anUpgradedConnectionThatBothEndedDoesNotFail() throws {
        let origin = EmbeddedOrigin()
        let exchange = try upgraded(origin)
        origin.closeByOrigin(0)
        exchange.exchange?.end(trailers: nil)
        origin.loop.run()
        origin.channels[0].close(promise: nil)
        origin.loop.run()
        #expect(exchange.isEnded && exchange.error == nil)
        #expect(try origin.pool.active == 0)
    }

    // MARK: Requests that are withdrawn

    @Test func requestsThatAreWithdrawnLeaveRoomForOthers() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(activeConnections: 1, waitingRequests: 2))
        let first = try origin.begin()
        for _ in 0..<1000 {
            let withdrawn = try origin.begin()
            withdrawn.exchange?.cancel()
            withdrawn.isCancelled = true
            #expect(withdrawn.violations.isEmpty && !withdrawn.isOver)
        }
        let waiting = try (0..<3).map { _ in try origin.begin() }
        #expect(waiting.map { $0.error?.code } == [nil, nil, .tooBusy])
        try origin.receive(Self.answer)
        #expect(first.isEnded)
        try origin.receive(Self.answer)
        #expect(waiting[0].isEnded && !waiting[1].isOver)
        try origin.receive(Self.answer)
        #expect(waiting[1].isEnded)
        #expect(origin.channels.count == 1)
    }

    // MARK: Descriptors

    @Test func whereDescriptorsAreShortRequestsWaitForThoseInUse() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(waitingRequests: 3))
        origin.descriptors = 1
        let exchanges = try (0..<5).map { _ in try origin.begin() }
        #expect(exchanges.map { $0.error?.code } == [nil, nil, nil, nil, .noDescriptors])
        #expect(try origin.pool.active == 1 && origin.channels.count == 1)
        for number in 0..<4 {
            #expect(!exchanges[number].isEnded)
            try origin.receive(Self.answer)
            #expect(exchanges[number].isEnded, "in the order in which they came")
        }
        #expect(origin.channels.count == 1)
    }

    @Test func whereAllDescriptorsAreOthersRequestsWaitUntilThoseLetGoOrTheTimeIsUp() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(connectTimeout: .seconds(2)))
        origin.descriptors = 0
        let first = try (0..<3).map { _ in try origin.begin() }
        origin.loop.advanceTime(by: .seconds(1))
        #expect(first.allSatisfy { !$0.isOver })
        origin.descriptors = 2
        origin.loop.advanceTime(by: .milliseconds(100))
        #expect(origin.channels.count == 2, "as many as there is room for")
        try origin.receive(Self.answer, on: 0)
        try origin.receive(Self.answer, on: 1)
        try origin.receive(Self.answer, on: 0)
        #expect(first.allSatisfy { $0.isEnded })
        origin.descriptors = 0
        for channel in origin.channels { channel.close(promise: nil) }
        let late = try origin.begin()
        origin.loop.advanceTime(by: .seconds(2))
        #expect(late.error?.code == .noDescriptors)
        #expect(try origin.pool.active == 0)
    }

    /// Connections that a request must not use make room for one that it can.
    @Test func idleConnectionsThatAreTooOldGiveTheirDescriptorsUp() throws {
        let origin = EmbeddedOrigin()
        origin.descriptors = 1
        _ = try origin.begin()
        try origin.receive(Self.answer)
        origin.loop.advanceTime(by: .seconds(10))
        let post = try origin.begin("POST")
        origin.loop.advanceTime(by: .milliseconds(100))
        try origin.receive(Self.answer, on: 1)
        #expect(post.isEnded && !origin.channels[0].isActive)
    }

    // MARK: The pool and its clock

    @Test(arguments: [("GET", 50, 1), ("POST", 1, 1), ("POST", 3, 2), ("GET", 56, 2)])
    func idleConnectionsAreUsedWhileTheyAreYoungEnough(method: String, seconds: Int64, channels: Int) throws {
        let origin = EmbeddedOrigin()
        _ = try origin.begin()
        try origin.receive(Self.answer)
        origin.loop.advanceTime(by: .seconds(seconds))
        _ = try origin.begin(method)
        #expect(origin.channels.count == channels)
    }

    @Test func theConnectionUsedLastIsUsedFirstAndTheOthersGrowOld() throws {
        let origin = EmbeddedOrigin()
        for _ in 0..<2 { _ = try origin.begin() }
        try origin.receive(Self.answer, on: 0)
        origin.loop.advanceTime(by: .seconds(20))
        try origin.receive(Self.answer, on: 1)
        _ = try origin.begin()
        #expect(try origin.written(1).count == 2)
        try origin.receive(Self.answer, on: 1)
        origin.loop.advanceTime(by: .seconds(36))
        #expect(!origin.channels[0].isActive)
        #expect(origin.channels[1].isActive)
        origin.loop.advanceTime(by: .seconds(20))
        #expect(!origin.channels[1].isActive)
        #expect(try origin.pool.idleCount == 0)
    }

    @Test func idleConnectionsBeyondTheLimitAreClosedOldestFirst() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(idleConnections: 2))
        for _ in 0..<4 { _ = try origin.begin() }
        for index in 0..<4 { try origin.receive(Self.answer, on: index) }
        #expect(origin.channels.map(\.isActive) == [false, false, true, true])
        #expect(try origin.pool.active == 0)
    }

    @Test func anAttemptThatIsGivenUpLeavesNothing() throws {
        let origin = EmbeddedOrigin()
        let receiver = try origin.start()
        #expect(try origin.pool.active == 1)
        receiver.exchange?.cancel()
        origin.loop.run()
        origin.loop.advanceTime(by: .seconds(60))
        #expect(try origin.pool.active == 0)
        #expect(origin.channels.allSatisfy { !$0.isActive })
        #expect(!receiver.isOver)
    }

    @Test func aFailedAttemptLetsTheNextWaitingRequestTry() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(activeConnections: 1))
        origin.refuses = true
        let exchanges = try (0..<3).map { _ in try origin.begin() }
        #expect(exchanges.map { $0.error?.code } == [.timedOut, .timedOut, .timedOut])
        #expect(try origin.pool.active == 0)
    }

    // MARK: Anything, in any order

    @Test(arguments: 0..<60) func everyExchangeEndsOnceAndNothingIsLeft(round: UInt64) throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let origin = EmbeddedOrigin(
            HTTPOriginOptions(idleConnections: 2, activeConnections: 3, waitingRequests: 3))
        var exchanges: [EmbeddedExchange] = []
        for _ in 0..<200 {
            try step(origin, &exchanges, &random)
            origin.loop.run()
            #expect((0...3).contains(try origin.pool.active), "seed \(seed)")
            #expect(try origin.pool.idleCount <= 2, "seed \(seed)")
        }
        for exchange in exchanges where !exchange.isOver && !exchange.isCancelled {
            exchange.exchange?.resumeReading()
        }
        for channel in origin.channels where channel.isActive { channel.close(promise: nil) }
        origin.loop.advanceTime(by: .seconds(100))
        for channel in origin.channels where channel.isActive { channel.close(promise: nil) }
        origin.loop.advanceTime(by: .seconds(100))
        for exchange in exchanges {
            #expect(exchange.violations.isEmpty, "seed \(seed)")
            #expect(exchange.isOver != exchange.isCancelled, "seed \(seed)")
        }
        #expect(exchanges.contains { $0.isEnded } && exchanges.contains { $0.error != nil }, "seed \(seed)")
        #expect(try origin.pool.active == 0, "seed \(seed)")
        #expect(try origin.pool.idleCount == 0, "seed \(seed)")
    }

    private func step(
        _ origin: EmbeddedOrigin, _ exchanges: inout [EmbeddedExchange], _ random: inout SplitMix64
    ) throws {
        let pieces = [
            Self.answer, "HTTP/1.1 200 OK\r\n", "Content-Length: 3\r\n\r\nab", "c",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "\r\n", "garbage", "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 101 Up\r\n\r\n",
        ]
        let exchange = exchanges.filter { !$0.isOver && !$0.isCancelled }.randomElement(using: &random)
        let index = origin.channels.indices.filter { origin.channels[$0].isActive }.randomElement(
            using: &random)
        switch Int.random(in: 0..<14, using: &random) {
        case 0...2: exchanges.append(try origin.begin())
        case 3:
            let fields = HeaderFields([.connection: "upgrade", .upgrade: "x"])
            exchanges.append(try origin.begin(fields: fields))
        case 4: exchanges.append(try origin.begin("POST", framing: .chunked))
        case 5: exchanges.append(try origin.begin("POST", framing: .length(3)))
        case 6: exchange?.exchange?.send(ByteBuffer(string: "abc"))
        case 7: exchange?.exchange?.end(trailers: nil)
        case 8:
            if random.next() % 3 == 0 {
                exchange?.isCancelled = exchange != nil
                exchange?.exchange?.cancel()
            }
        case 9: exchange?.exchange?.pauseReading()
        case 10: exchange?.exchange?.resumeReading()
        case 11: if let index { origin.closeByOrigin(index) }
        case 12: origin.loop.advanceTime(by: .seconds(Int64.random(in: 0...8, using: &random)))
        default: break
        }
        if let index, origin.channels[index].isActive, random.next() % 2 == 0 {
            try origin.receive(pieces.randomElement(using: &random) ?? "", on: index)
        }
        if let index, origin.channels[index].isActive, random.next() % 20 == 0 {
            origin.channels[index].pipeline.fireErrorCaught(ChannelError.ioOnClosedChannel)
            origin.channels[index].close(promise: nil)
        }
    }
}
