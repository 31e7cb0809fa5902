import Logging
import Testing

@testable import Observability

@Suite struct AgentLogTests {
    @Test func fieldsOfTheCallWinOverThoseOfTheLoggerAndTheProvider() throws {
        let lines = try linesLogged { sink in
            let provider = Logger.MetadataProvider { ["node": "n1", "a": "provider", "b": "provider"] }
            let log = AgentLog(sink: sink, metadataProvider: provider)
            var logger = log.makeLogger(label: "server")
            logger[.serverName] = "public"
            logger[metadataKey: "a"] = "logger"
            logger.info("Listening", metadata: ["a": "call"])
        }
        #expect(lines.count == 1)
        #expect(
            lines[0].hasSuffix(
                #"logger=server message="Listening" a=call b=provider node=n1 server.name=public"#))
    }

    @Test func keysAreWrittenAsNamesOfTheirKind() throws {
        let lines = try linesLogged { sink in
            let logger = AgentLog(sink: sink, level: .trace).makeLogger(label: "client")
            logger.trace("a", metadata: [.tunnelName: "web"])
            logger.debug("b", metadata: [.streamID: "\(7)"])
            logger.info("c", metadata: [.durationMilliseconds: .milliseconds(.milliseconds(15))])
            logger.notice("d", metadata: [.errorCode: "first", .errorCode: "second"])
            logger.warning("e", metadata: [.tokenHint: "abcdefgh..."])
            logger.error("f", metadata: [:])
        }
        #expect(
            lines.map { $0.split(separator: " ").dropFirst().joined(separator: " ") } == [
                #"level=trace logger=client message="a" tunnel.name=web"#,
                #"level=debug logger=client message="b" stream.id=7"#,
                #"level=info logger=client message="c" duration.ms=15.000"#,
                #"level=notice logger=client message="d" error.code=second"#,
                #"level=warning logger=client message="e" token.hint=abcdefgh..."#,
                #"level=error logger=client message="f""#,
            ])
    }

    @Test func theLevelChangesForAllLoggersAtRunTime() throws {
        let lines = try linesLogged { sink in
            let log = AgentLog(sink: sink, level: .info)
            let early = log.makeLogger(label: "early")
            early.debug("not this")
            log.level.configure(.debug)
            early.debug("but this")
            log.level.configure(.error)
            log.makeLogger(label: "late").warning("nor this")
            early.error("and this")
        }
        #expect(lines.map { $0.contains("this") } == [true, true])
        #expect(lines.allSatisfy { $0.contains("but this") || $0.contains("and this") })
    }

    @Test func aLevelSetOnOneLoggerStaysThere() throws {
        let lines = try linesLogged { sink in
            let log = AgentLog(sink: sink, level: .info)
            let plain = log.makeLogger(label: "plain")
            var verbose = plain
            verbose.logLevel = .trace
            log.level.configure(.error)
            verbose.trace("one")
            plain.warning("two")
        }
        #expect(lines.count == 1)
        #expect(lines[0].contains("one"))
    }

    @Test func keysAreUniqueAndPlain() {
        #expect(Set(LogKey.allCases.map(\.rawValue)).count == LogKey.allCases.count)
        #expect(LogKey.allCases.allSatisfy { $0.rawValue.wholeMatch(of: /[a-z][a-z.-]*/) != nil })
    }
}

@Suite struct AccessLogTests {
    private static let record = AccessRecord(
        serverName: "public", tokenHint: "abcdefgh...", requestID: 17, method: "GET", path: "/a?b=c",
        status: 200, responseBytes: 1024, timing: RequestTiming(whole: 2_000_000, firstByte: 1_500_000),
        callerAddress: "127.0.0.1:4711", outcome: .ok)
    private static let moment = LogTimestamp(millisecondsSince1970: 0)

    private static func line(_ record: AccessRecord, _ format: LogFormat) -> String {
        String(decoding: record.line(format: format, at: moment), as: UTF8.self)
    }

    @Test func aRequestIsOneLine() {
        #expect(
            Self.line(Self.record, .logfmt)
                == #"""
                time=1970-01-01T00:00:00.000Z level=info logger=access message="Request" server.name=public \#
                token.hint=abcdefgh... request.id=17 method=GET path="/a?b=c" status=200 request.bytes=0 \#
                response.bytes=1024 first-byte.ms=1.500 duration.ms=2.000 caller.address=127.0.0.1:4711 outcome=ok

                """#)
        #expect(
            Self.line(Self.record, .text)
                == #"""
                1970-01-01T00:00:00.000Z INFO  access: HTTP RET pkg=WStunsrv token=abcdefgh... id=17 \#
                status=200 verb=GET url="/a?b=c" server.name=public request.bytes=0 response.bytes=1024 \#
                first-byte.ms=1.500 duration.ms=2.000 caller.address=127.0.0.1:4711 outcome=ok

                """#)
        #expect(
            Self.line(Self.record, .json)
                == #"""
                {"time":"1970-01-01T00:00:00.000Z","level":"info","logger":"access","message":"Request",\#
                "server.name":"public","token.hint":"abcdefgh...","request.id":17,"method":"GET",\#
                "path":"/a?b=c","status":200,"request.bytes":0,"response.bytes":1024,"first-byte.ms":1.500,\#
                "duration.ms":2.000,"caller.address":"127.0.0.1:4711","outcome":"ok"}

                """#)
    }

    @Test func whatARequestNeverHadIsLeftOut() {
        var record = Self.record
        record.tokenHint = nil
        record.status = nil
        record.timing.firstByte = nil
        record.outcome = .callerLeft
        let line = Self.line(record, .logfmt)
        for absent in ["token.hint", "status", "first-byte"] { #expect(!line.contains(absent)) }
        #expect(line.hasSuffix("outcome=caller-left\n"))
    }

    @Test func whoLeftBeforeAnAnswerHasTheOldStatusInText() {
        var record = Self.record
        record.status = nil
        record.outcome = .callerLeft
        #expect(Self.line(record, .text).contains(" id=17 status=499 verb=GET "))
    }

    @Test(arguments: LogFormat.allCases)
    func methodAndPathAreCutAndEscaped(format: LogFormat) {
        var record = Self.record
        record.path = "/\n\u{1b}[2J\"" + String(repeating: "x", count: 5000)
        record.method = String(repeating: "M", count: 5000)
        let line = Self.line(record, format)
        #expect(line.utf8.count < 1024 + 32 + 500)
        #expect(line.filter(\.isNewline).count == 1)
        #expect(!line.contains("\u{1b}"))
        #expect(line.contains(#"/\n\u001b[2J\""#))
    }

    @Test(arguments: AccessOutcome.allCases) func theOutcomeHasItsName(outcome: AccessOutcome) {
        var record = Self.record
        record.outcome = outcome
        #expect(Self.line(record, .logfmt).hasSuffix(" outcome=\(outcome.rawValue)\n"))
        #expect(Self.line(record, .json).hasSuffix(#","outcome":"\#(outcome.rawValue)"}"# + "\n"))
    }

    @Test func lengthsAroundABlockAreCopiedWhole() {
        var record = Self.record
        for length in 1...70 {
            record.path = "/" + String(repeating: "x", count: length - 1)
            #expect(Self.line(record, .logfmt).contains(" path=\(record.path) status="))
            for odd in ["\"", "=", "\\", " ", "\u{7f}", "é"] {
                record.path = "/" + String(repeating: "x", count: length - 1) + odd
                #expect(Self.line(record, .logfmt).contains(#" path="/"#), "\(length) \(odd)")
                record.path = odd + String(repeating: "x", count: length)
                #expect(Self.line(record, .logfmt).contains(#" path=""#), "\(length) \(odd)")
            }
        }
    }

    @Test func linesInTheMemoryOfOthersAreTheirOwn() throws {
        let lines = try linesLogged { sink in
            let (access, memory) = (AgentLog(sink: sink, level: .info).access, LineMemory())
            for length in [9, 5000, 3] {
                var record = Self.record
                record.externalID = String(repeating: "i", count: length)
                access.write(record, in: memory)
            }
        }
        #expect(lines.count == 3)
        for (line, length) in zip(lines, [9, 4096, 3]) {
            #expect(line.hasPrefix("time=20") && line.hasSuffix(" outcome=ok"))
            #expect(line.count { $0 == "i" } >= length)
        }
    }

    @Test func whatIsAskedAllTheTimeIsLeftOutUnlessTheLevelIsDebug() throws {
        var record = Self.record
        record.level = .debug
        for (level, count) in [(Logger.Level.info, 1), (.debug, 2)] {
            let lines = try linesLogged { sink in
                let access = AgentLog(sink: sink, level: level).access
                access.write(record)
                access.write(Self.record)
            }
            #expect(lines.count == count)
            if count == 2 { #expect(lines[0].contains("level=debug logger=access message=\"Request\"")) }
        }
    }

    @Test func requestsAreLeftOutBeyondLevelInfo() throws {
        let lines = try linesLogged { sink in
            let log = AgentLog(sink: sink, level: .info)
            let access = log.access
            access.write(Self.record)
            log.level.configure(.notice)
            #expect(!access.isEnabled)
            access.write(Self.record)
        }
        #expect(lines.count == 1)
    }
}
