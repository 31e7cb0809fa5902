import AgentStatus
import Logging
import Testing

@testable import Observability

@Suite struct LogFeedTests {
    private func lines(_ body: (AgentLog) -> Void) throws -> [String] {
        try linesLogged { body(AgentLog(sink: $0, level: .notice)) }
    }

    @Test func linesAreMadeOnlyWhileSomebodyListensAndGoNowhereElse() throws {
        let written = try lines { log in
            let logger = log.makeLogger(label: "a")
            #expect(logger.logLevel == .notice)
            logger.notice("unheard")
            #expect(log.logs.lines.last == 0)
            var debug: LogListening? = log.logs.listen(from: .debug)
            let info = log.logs.listen(from: .info)
            #expect(logger.logLevel == .debug)
            logger.debug("heard")
            debug = nil
            #expect(debug == nil && logger.logLevel == .info)
            logger.debug("unheard")
            logger.info("also heard", metadata: [.tunnelName: "web"])
            let messages = info.logs.lines.read(after: 0).elements.map(\.message)
            #expect(messages == ["heard", "also heard"])
        }
        #expect(written.count == 1 && written[0].contains("unheard"))
    }

    @Test func theLatestWarningsAreKeptInAnyCase() throws {
        let written = try lines { log in
            log.level.configure(.critical)
            let logger = log.makeLogger(label: "a")
            for number in 1...(LogFeed.warningsKept + 5) { logger.warning("\(number)") }
            logger.error("last", metadata: [.errorMessage: .string(String(repeating: "é", count: 5000))])
            let kept = log.logs.warnings.read(after: 0).elements
            #expect(kept.count == LogFeed.warningsKept && kept.first?.message == "7")
            #expect(kept.last?.message == "last" && kept.last?.level == "error")
            #expect((kept.last?.fields["error.message"]?.utf8.count ?? 0) <= LogFeed.longestText + 3)
            #expect(log.logs.lines.last == 0)
            #expect(Set(kept.map(\.id)).count == kept.count)
        }
        #expect(written.isEmpty)
    }

    @Test func theLevelOfOneLoggerStaysItsOwn() throws {
        let written = try lines { log in
            var logger = log.makeLogger(label: "a")
            logger.logLevel = .trace
            logger.trace("written")
            let listening = log.logs.listen(from: .trace)
            logger.trace("both")
            #expect(listening.logs.lines.read(after: 0).elements.map(\.message) == ["both"])
        }
        #expect(written.count == 2)
    }
}
