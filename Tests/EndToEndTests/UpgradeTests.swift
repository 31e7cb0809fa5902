import TestSupport
import Testing

/// WebSockets, and whatever else a connection may become.
@Suite struct UpgradeTests {
    private static let token = [("X-Token", TunnelPair.token)]
    private static let custom = token + [("Connection", "Upgrade"), ("Upgrade", "custom/1")]

    /// An origin that switches to a protocol of its own, which the script speaks.
    private static func customOrigin(
        _ script: @escaping @Sendable (OriginConnection) throws -> Void
    ) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            guard let request = try connection.readRequest(), request.has("Upgrade", "custom/1"),
                request.has("Connection", "upgrade")
            else { return try connection.respond(426, text: "an upgrade is wanted") }
            try connection.writeHead(101, fields: [("Connection", "Upgrade"), ("Upgrade", "custom/1")])
            try script(connection)
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [1, 2])
    func aWebSocketEchoesMessagesOfAllSizes(connections: Int) throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url, connections: connections)
        let socket = try WebSocketConnection(port: tunnel.port, target: "/socket", fields: Self.token)
        try socket.send(.text("hello"))
        #expect(try socket.receive() == .text("hello"))
        var random = SplitMix64(seed: 11)
        for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            let payload = random.bytes(size)
            try socket.send(.binary(payload))
            #expect(try socket.receive() == .binary(payload), "\(size) bytes")
        }
        let payload = random.bytes(1 << 20)
        try socket.send(payload, inFragmentsOf: 10_000)
        #expect(try socket.receive() == .binary(payload))
        try socket.send(.ping([1, 2, 3]))
        #expect(try socket.receive() == .pong([1, 2, 3]))
        try socket.send(.close(code: 1000, reason: "bye"))
        #expect(try socket.receive() == .close(code: 1000, reason: "bye"))
        #expect(socket.socket.waitForEnd() == .closed)
        try origin.waitForEnds(1)
        #expect(origin.failures.isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func manyMessagesUnderWayAtOnceKeepTheirOrder() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url)
        let socket = try WebSocketConnection(port: tunnel.port, fields: Self.token)
        let sender = Background {
            for number in 0..<20 {
                try socket.send(.binary(SplitMix64(seed: UInt64(number)).sequence(100_000)))
            }
        }
        for number in 0..<20 {
            let expected = SplitMix64(seed: UInt64(number)).sequence(100_000)
            #expect(try socket.receive() == .binary(expected), "message \(number)")
        }
        try sender.value()
    }

    @Test(.timeLimit(.minutes(1))) func aCallerThatLeavesAWebSocketEndsItAtTheOrigin() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url)
        let socket = try WebSocketConnection(port: tunnel.port, fields: Self.token)
        try socket.send(.text("hello"))
        _ = try socket.receive()
        socket.reset()
        try origin.waitForEnds(1, within: .seconds(5))
    }

    @Test(.timeLimit(.minutes(1))) func anyProtocolMayFollowAnUpgrade() throws {
        let origin = try Self.customOrigin { connection in
            try connection.socket.write("ready\n")
            while true {
                let line = try connection.socket.readLine()
                if line == "end" { return }
                try connection.socket.write(line.uppercased() + "\n")
            }
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send("GET", "/", fields: Self.custom)
        let head = try caller.readHead()
        #expect(head.status == 101)
        #expect(head["Upgrade"] == "custom/1")
        #expect(head.has("Connection", "upgrade"))
        // The origin speaks first here: nobody's turn is taken for granted.
        #expect(try caller.socket.readLine() == "ready")
        try caller.send("one\ntwo\n")
        #expect(try caller.socket.readLine() == "ONE")
        #expect(try caller.socket.readLine() == "TWO")
        try caller.send("end\n")
        #expect(caller.waitForEnd() == .closed)
    }

    @Test(.timeLimit(.minutes(1))) func theCallerMayEndItsDirectionFirst() throws {
        let answer = SplitMix64(seed: 13).sequence(3 << 20)
        let origin = try Self.customOrigin { connection in
            let question = try connection.socket.readToEnd()
            try connection.socket.write(question + answer)
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send("GET", "/", fields: Self.custom)
        #expect(try caller.readHead().status == 101)
        try caller.send("question")
        caller.socket.finishWriting()
        #expect(try caller.socket.readToEnd() == Array("question".utf8) + answer)
        try origin.waitForEnds(1)
        #expect(origin.failures.isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func theOriginMayEndItsDirectionFirst() throws {
        let received = WaitableCounter()
        let origin = try Self.customOrigin { connection in
            try connection.socket.write("all I have to say")
            connection.socket.finishWriting()
            received.add(try connection.socket.readToEnd().count)
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send("GET", "/", fields: Self.custom)
        #expect(try caller.readHead().status == 101)
        #expect(try caller.socket.readToEnd() == Array("all I have to say".utf8))
        let rest = SplitMix64(seed: 17).sequence(3 << 20)
        try caller.send(rest)
        caller.socket.finishWriting()
        try received.wait(for: rest.count, within: .seconds(20), what: "bytes at the origin")
        #expect(received.value == rest.count)
        try origin.waitForEnds(1)
        #expect(origin.failures.isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func connectionsThatTheOriginClosedAreGivenBack() throws {
        let origin = try Self.customOrigin { connection in try connection.socket.write("bye") }
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        func descriptors() throws -> Int {
            try openDescriptors(of: tunnel.client.process.processID)
        }
        func visit() throws {
            let caller = try tunnel.connect()
            try caller.send("GET", "/", fields: Self.custom)
            _ = try caller.readHead()
            #expect(try caller.socket.readToEnd() == Array("bye".utf8))
            caller.close()
        }
        try visit()
        let before = try descriptors()
        for _ in 0..<30 { try visit() }
        try origin.waitForEnds(31)
        // The last few may still be on their way.
        try tunnel.exchange("GET", "/")
        #expect(try descriptors() < before + 15)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [200, 426, 403])
    func anOriginMayRefuseTheUpgrade(status: Int) throws {
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try connection.respond(
                    status, fields: status == 426 ? [("Upgrade", "other/2"), ("Connection", "Upgrade")] : [],
                    text: "no upgrade")
            }
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        for _ in 0..<3 {
            let answer = try caller.exchange("GET", "/", fields: Self.custom)
            #expect(answer.status == status)
            #expect(answer.text == "no upgrade")
        }
    }

    @Test(.timeLimit(.minutes(1))) func refusedUpgradesUseUpNothing() throws {
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil { try connection.respond(426, text: "no") }
        }
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let caller = try tunnel.connect()
        // More than a session carries streams at once.
        for _ in 0..<1100 {
            #expect(try caller.exchange("GET", "/", fields: Self.custom).status == 426)
        }
    }
}
