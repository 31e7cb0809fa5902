import TestSupport
import Testing

/// Connections to a port of plain TCP, as their two ends see them.
@Suite(.timeLimit(.minutes(2))) struct RawPortTests {
    @Test(arguments: [0, 1, 100_000, 20 << 20])
    func whatACallerSendsComesBackBehindItsEnd(count: Int) throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let caller = try tunnel.connect()
        let bytes = SplitMix64(seed: 1).sequence(count)
        let sender = Background {
            try caller.write(bytes)
            caller.finishWriting()
        }
        let answer = try caller.readToEnd()
        try sender.value()
        #expect(answer.dropLast(3) == bytes[...])
        #expect(answer.suffix(3) == Array("bye".utf8)[...])
        let line = try tunnel.waitForConnection()
        #expect(line["server.name"] == "public:0")
        #expect(line["path"] == ":\(tunnel.rawPort)")
        #expect(line["outcome"] == "ok")
        #expect(line["request.bytes"] == "\(count)")
        #expect(line["response.bytes"] == "\(count + 3)")
        #expect(line["token.hint"] == "raw-serv...")
        _ = client
    }

    @Test func theServiceMayEndFirst() throws {
        let service = try ScriptedOrigin { connection in
            try connection.socket.write("hello")
            connection.socket.finishWriting()
            let rest = try connection.socket.readToEnd()
            #expect(rest == Array("and still here".utf8))
        }
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let caller = try tunnel.connect()
        #expect(try caller.readToEnd() == Array("hello".utf8))
        try caller.write("and still here")
        caller.finishWriting()
        #expect(try tunnel.waitForConnection()["outcome"] == "ok")
        try service.waitForEnds(1)
        #expect(service.failures.isEmpty)
        _ = client
    }

    @Test func aResetCrossesTheTunnelEitherWay() throws {
        let service = try ScriptedOrigin { connection in
            let word = try connection.socket.readLine()
            if word == "reset" {
                try connection.socket.write("what came before it")
                try connection.socket.waitUntilDelivered()
                connection.socket.reset()
            } else {
                try connection.socket.write("here\n")
                #expect(connection.socket.waitForEnd() == .reset)
            }
        }
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let first = try tunnel.connect()
        try first.write("reset\n")
        #expect(first.waitForEnd() == .reset)
        #expect(try tunnel.waitForConnection()["outcome"] == "origin-failed")
        let start = tunnel.server.log.count
        let second = try tunnel.connect()
        try second.write("wait\n")
        #expect(try second.readLine() == "here")
        second.reset()
        #expect(try tunnel.waitForConnection(from: start)["outcome"] == "caller-left")
        try service.waitForEnds(2)
        #expect(service.failures.isEmpty)
        _ = client
    }

    @Test func aServiceThatIsNotThereIsAResetAndWordsInTheLogs() throws {
        let tunnel = try RawTunnel(to: try freePort())
        let client = try tunnel.startClient()
        #expect(try tunnel.connect().waitForEnd() == .reset)
        #expect(try tunnel.waitForConnection()["outcome"] == "origin-failed")
        try client.waitForLog("Origin failed", ["error.code": "refused"])
    }

    @Test func aConnectionWaitsForItsTunnel() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port, serverOptions: ["queue-timeout: 1m"])
        // The token is known once its tunnel was there.
        try tunnel.startClient().stop()
        let caller = try tunnel.connect()
        try caller.write("early")
        caller.finishWriting()
        let client = try tunnel.startClient()
        #expect(try caller.readToEnd() == Array("earlybye".utf8))
        _ = client
    }

    @Test func oneThatWaitedTooLongIsReset() throws {
        let tunnel = try RawTunnel(to: try freePort(), serverOptions: ["queue-timeout: 200ms"])
        try tunnel.startClient().stop()
        #expect(try tunnel.connect().waitForEnd() == .reset)
        #expect(try tunnel.waitForConnection()["outcome"] == "no-tunnel")
    }

    @Test func aClientThatDiesIsAResetForItsConnections() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let caller = try tunnel.connect()
        try caller.write("hello")
        #expect(try caller.read(5) == Array("hello".utf8))
        client.process.kill()
        #expect(caller.waitForEnd() == .reset)
        #expect(try tunnel.waitForConnection()["outcome"] == "tunnel-lost")
    }

    @Test func silenceEndsAConnectionAndTrafficKeepsIt() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port, portOptions: ["idle-timeout: 2s"])
        let client = try tunnel.startClient()
        let silent = try tunnel.connect()
        let busy = try tunnel.connect()
        let clock = ContinuousClock()
        let start = clock.now
        // Its pace, not a wait for something.
        while !silent.hasEnded(within: .milliseconds(200)) {
            try busy.write("x")
            _ = try busy.read(1)
        }
        #expect(clock.now - start > .seconds(1.5))
        try busy.write("still there")
        #expect(try busy.read(11) == Array("still there".utf8))
        #expect(try tunnel.waitForConnection()["outcome"] == "timeout")
        _ = client
    }

    @Test func aReaderThatDoesNotReadHoldsItsServiceBackAndNobodyElse() throws {
        let chunk = [UInt8](repeating: 7, count: 1 << 20)
        let count = 100
        let service = try ScriptedOrigin { connection in
            guard try connection.socket.readLine() == "much" else { return try connection.socket.write("ok") }
            for _ in 0..<count { try connection.socket.write(chunk) }
        }
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let before = try tunnel.server.process.residentBytes() + client.process.residentBytes()
        let slow = try tunnel.connect(receiveBuffer: 64 << 10)
        try slow.write("much\n")
        #expect(try slow.read(1) == [7])
        for _ in 0..<50 {
            let quick = try tunnel.connect()
            try quick.write("little\n")
            #expect(try quick.readToEnd() == Array("ok".utf8))
        }
        let after = try tunnel.server.process.residentBytes() + client.process.residentBytes()
        #expect(after - before < 60 << 20, "\((after - before) >> 20) MiB more")
        var received = 1
        while received < count << 20 { received += try slow.readSome().count }
        #expect(received == count << 20)
    }

    @Test func onlyTheAddressesThatAreNamedMayConnect() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(
            to: service.port, portOptions: ["allow-from: [192.0.2.0/24, '2001:db8::/32']"])
        let client = try tunnel.startClient()
        #expect(try tunnel.connect().waitForEnd() == .reset)
        let line = try tunnel.waitForConnection()
        #expect(line["outcome"] == "answered-here")
        #expect(line["response.bytes"] == "0")
        _ = client
    }

    @Test func aProxyInFrontSaysWhoConnects() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(
            to: service.port, portOptions: ["allow-from: [192.0.2.0/24]"],
            serverOptions: ["proxy-protocol: optional", "trusted-proxies: [127.0.0.1]"])
        let client = try tunnel.startClient()
        let caller = try tunnel.connect()
        try caller.write("PROXY TCP4 192.0.2.7 127.0.0.1 4711 22\r\nhello")
        caller.finishWriting()
        #expect(try caller.readToEnd() == Array("hellobye".utf8))
        #expect(try tunnel.waitForConnection()["caller.address"] == "192.0.2.7")
        for header in ["PROXY TCP4 198.51.100.1 127.0.0.1 4711 22\r\n", "PROXY nonsense\r\n", "no header"] {
            let other = try tunnel.connect()
            try other.write(header)
            #expect(other.waitForEnd() != .timedOut, "\(header)")
        }
        _ = client
    }

    @Test func anOldClientIsRefusedAndTheLogSaysWhy() throws {
        let tunnel = try RawTunnel(to: try freePort())
        let old = try OldTunnelClient(port: tunnel.port, .init(token: RawTunnel.token)) { _, answer in
            try answer.respond(body: [])
        }
        try tunnel.server.waitForSessions(1)
        #expect(try tunnel.connect().waitForEnd() == .reset)
        let warning = try tunnel.server.waitForLog("A tunnel carries no TCP")
        #expect(warning["error.message"] == "This tunnel's client is too old to carry TCP: update it")
        #expect(warning["token.hint"] == "raw-serv...")
        #expect(try tunnel.waitForConnection()["outcome"] == "no-tunnel")
        #expect(old.violations.isEmpty)
    }

    @Test func aTunnelToAWebServerTakesNoConnectionsAndOneToAServiceNoRequests() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port)
        let web = try tunnel.startClient(to: "builtin:echo")
        #expect(try tunnel.connect().waitForEnd() == .reset)
        let warning = try tunnel.server.waitForLog("A tunnel carries no TCP")
        #expect(warning["error.message"]?.hasSuffix("its \"server\" is not tcp://host:port") == true)
        try web.stop()
        let client = try tunnel.startClient()
        let answer = try HTTPConnection(port: tunnel.port).exchange(
            "GET", "/", fields: [("X-Token", RawTunnel.token)])
        #expect(answer.status == 502)
        #expect(answer.text == "the origin tcp://127.0.0.1:\(service.port) speaks no HTTP\n")
        _ = client
    }

    @Test func aStoppingServerLetsConnectionsEndWithinItsGrace() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let caller = try tunnel.connect()
        try caller.write("a")
        #expect(try caller.read(1) == [UInt8(ascii: "a")])
        let start = tunnel.server.log.count
        tunnel.server.process.send(signal: 15)
        try tunnel.server.waitForLog(
            "Stopping: requests in flight are finished; a second signal ends them", from: start)
        try caller.write("b")
        caller.finishWriting()
        #expect(try caller.readToEnd() == Array("bbye".utf8))
        #expect(try tunnel.server.process.waitForExit() == .code(0))
        _ = client
    }
}

extension StreamSocket {
    /// Whether it ends within the time.
    fileprivate func hasEnded(within time: Duration) -> Bool { waitForEnd(within: time) != .timedOut }
}
