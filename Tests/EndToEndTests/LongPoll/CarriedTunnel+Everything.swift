import TestSupport
import Testing

extension CarriedTunnel {
    /// Runs everything that a tunnel is there for over a way: large bodies, events, a WebSocket, gRPC, and many small
    /// requests none of which may get lost or be run twice.
    static func expectToCarryEverything(over way: Way, connections: Int = 1) throws {
        let tunnel = try CarriedTunnel(
            over: way, largeMebibytes: LongPoll.mebibytes, connections: connections)
        try tunnel.carryLargeBodies()
        try tunnel.carryEvents(isClean: way.isClean)
        if let silence = way.silence { try tunnel.carrySilence(silence) }
        try tunnel.carryWebSocket()
        try tunnel.carryCalls()
        try tunnel.carryNumbers()
        // One session, from the beginning to the end.
        let lost = tunnel.server.log.filter { $0.contains(#"message="Session left""#) }
        #expect(lost.isEmpty)
        try tunnel.opened.check()
    }

    private func carryLargeBodies() throws {
        let folder = try TemporaryFolder()
        let copy = folder.path(of: "copy.bin")
        let url = "http://127.0.0.1:\(port)"
        let limit = Duration.seconds(LongPoll.isSlow ? 300 : 50)
        let download = try curl(filesArguments + ["-o", copy, url + "/large.bin"], within: limit)
        #expect(download.exitCode == 0 && download.status == 200, "\(download.standardError)")
        #expect(try sha256(ofFile: copy) == sha256(ofFile: files.root + "/large.bin"))
        let file = try folder.writeRandom(mebibytes: LongPoll.mebibytes, to: "file.bin", seed: 5)
        let upload = try curl(filesArguments + ["-T", file, url + "/upload/file.bin"], within: limit)
        #expect(upload.exitCode == 0 && upload.status == 201, "\(upload.standardError)")
        #expect(try sha256(ofFile: files.root + "/upload/file.bin") == sha256(ofFile: file))
    }

    private func carryEvents(isClean: Bool) throws {
        let clock = ContinuousClock()
        var times: [Duration] = []
        for _ in 0..<3 {
            let caller = try HTTPConnection(port: port, limit: .seconds(60))
            var start = clock.now
            try caller.send("GET", "/events", fields: Self.token)
            #expect(try caller.readHead().status == 200)
            for number in 0..<5 {
                let event = try #require(try caller.socket.readChunk())
                #expect(String(decoding: event, as: UTF8.self) == "data: \(number)\n\n")
                times.append(clock.now - start)
                start = clock.now
                arrived.add(1)
            }
            #expect(try caller.socket.readChunk() == nil)
        }
        let first = [times[0], times[5], times[10]].percentile(50)
        if isClean {
            #expect(first <= .milliseconds(150) && times.percentile(50) <= .milliseconds(150), "\(times)")
        }
    }

    /// An event stream in which nothing comes for a time.
    private func carrySilence(_ silence: Duration) throws {
        let caller = try HTTPConnection(port: port, limit: .seconds(60))
        let microseconds = silence.components.seconds * 1_000_000
        try caller.send("GET", "/silence/\(microseconds)", fields: Self.token)
        let answer = try caller.readResponse()
        #expect(answer.status == 200 && answer.text == "data: before\n\ndata: behind\n\n")
    }

    private func carryWebSocket() throws {
        let socket = try WebSocketConnection(
            port: port, target: "/socket", fields: Self.token, limit: .seconds(60))
        var random = SplitMix64(seed: 11)
        for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            let payload = random.bytes(size)
            try socket.send(.binary(payload))
            let isSame = try socket.receive() == .binary(payload)
            #expect(isSame, "\(size) bytes")
        }
        try socket.send(.ping([1, 2, 3]))
        #expect(try socket.receive() == .pong([1, 2, 3]))
        try socket.send(.close(code: 1000, reason: "bye"))
        #expect(try socket.receive() == .close(code: 1000, reason: "bye"))
        #expect(socket.socket.waitForEnd() == .closed)
    }

    /// A call of gRPC whose messages answer each other, and one that curl reads.
    private func carryCalls() throws {
        let socket = try StreamSocket(port: port, limit: .seconds(60))
        let fields = HTTP2Frames.request(
            "POST", "/grpc", token: TunnelPair.token,
            [("content-type", "application/grpc"), ("te", "trailers")])
        try socket.write(HTTP2Frames.preface + HTTP2Frames.frame(1, 4, 1, fields))
        for number in 0..<5 {
            let message = Array("message \(number)".utf8)
            try socket.write(HTTP2Frames.frame(0, 0, 1, message))
            if number == 0 { #expect(try socket.readFrame(of: 1).type == 1) }
            var echo: [UInt8] = []
            while echo.count < message.count { echo += try socket.readFrame(of: 1).payload }
            #expect(echo == message)
        }
        try socket.write(HTTP2Frames.frame(0, 1, 1))
        var last = try socket.readFrame(of: 1)
        while last.type == 0 && last.flags & 1 == 0 && last.payload.isEmpty {
            last = try socket.readFrame(of: 1)
        }
        #expect(last.type == 1 && last.flags & 1 == 1, "trailers end the call")
        let call = try curl(
            "--http2-prior-knowledge", "-i", "--data-binary", "message", "-H",
            "Content-Type: application/grpc", "-H",
            "TE: trailers", "-H", "X-Token: \(TunnelPair.token)", "http://127.0.0.1:\(port)/grpc")
        #expect(call.text.contains("message") && call.text.contains("grpc-status: 0"), "\(call.text)")
    }

    /// Requests that must not be run twice, many at a time.
    private func carryNumbers() throws {
        let port = port
        let answers = try inThreads(200) { caller in
            let connection = try HTTPConnection(port: port, limit: .seconds(60))
            return try (0..<10).filter { turn in
                let number = String(caller * 10 + turn)
                let answer = try connection.exchange(
                    "POST", "/number", fields: Self.token, body: Array(number.utf8))
                return answer.status == 200 && answer.text == number
            }.count
        }
        #expect(answers.reduce(0, +) == 2000, "requests with the right answer")
        let counts = counts
        #expect(counts.count == 2000, "numbers that the origin got")
        let repeated = counts.filter { $0.value > 1 }
        #expect(repeated.isEmpty)
    }
}
