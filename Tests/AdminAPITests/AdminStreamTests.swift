import AgentStatus
import Foundation
import Logging
import Observability
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import AdminAPI

/// Streams of the agent, as a command takes them.
@Suite(.timeLimit(.minutes(1))) struct AdminStreamTests {
    private static func event(_ id: UInt64, _ message: String) -> AgentEvent {
        var event = AgentEvent(.sessionUp, message: message)
        event.id = id
        return event
    }

    private static func publish(_ messages: [String], by world: AdminWorld) {
        for message in messages { world.agent.events.publish { event($0, message) } }
    }

    @Test func eventsComeWithTheirIdsAndGoOnBehindOne() async throws {
        try await AdminWorld().run { world in
            Self.publish(["a", "b", "c"], by: world)
            let client = AdminClient(socketPath: world.path)
            var seen: [ServerSentEvent] = []
            let end = try client.follow("/api/events", after: "1001") { event in
                seen.append(event)
                return seen.count < 2
            }
            #expect(end == .stopped)
            #expect(seen.map(\.id) == ["1002", "1003"] && seen.allSatisfy { $0.name == "session-up" })
            let last = try JSONDecoder().decode(
                AgentEvent.self, from: Data(try #require(seen.last).data.utf8))
            #expect(last.message == "c")
        }
    }

    @Test func whatIsKeptIsToldToTheEndAndWhatIsNotIsCounted() async throws {
        try await AdminWorld().run { world in
            // The feed keeps eight.
            Self.publish((1...11).map { "\($0)" }, by: world)
            var seen: [ServerSentEvent] = []
            let end = try AdminClient(socketPath: world.path).follow("/api/events?follow=no", after: "0") {
                seen.append($0)
                return true
            }
            #expect(end == .ended && seen.count == 9)
            #expect(seen.first == ServerSentEvent(id: nil, name: "missed", data: "3"))
            #expect(seen.last?.id == "1011")
        }
    }

    /// Also while there is nothing to tell.
    @Test func aStreamEndsWhenNobodyReadsTheOutput() async throws {
        try await AdminWorld().run { world in
            var ends: [Int32] = [-1, -1]
            #expect(pipe(&ends) == 0)
            close(ends[0])
            defer { close(ends[1]) }
            let end = try AdminClient(socketPath: world.path).follow("/api/events", writingTo: ends[1]) { _ in
                true
            }
            #expect(end == .outputClosed)
        }
    }

    /// Also where nothing happens.
    @Test func whoFollowsLearnsThatTheAgentAnswers() async throws {
        let world = try await AdminWorld()
        let opened = Gate()
        async let end = onThread {
            try AdminClient(socketPath: world.path).follow("/api/events", opened: { opened.open() }) { _ in
                true
            }
        }
        try await onThread { try opened.wait() }
        try await world.stop()
        #expect(try await end == .ended)
    }

    @Test func whoHasHadWarningsHasThemNotAgain() async throws {
        try await AdminWorld().run { world in
            let logger = world.agent.log.makeLogger(label: "client")
            for word in ["one", "two", "three"] { logger.warning("\(word)") }
            func warnings(after id: String?) throws -> [ServerSentEvent] {
                var events: [ServerSentEvent] = []
                _ = try AdminClient(socketPath: world.path).follow("/api/logs?follow=no", after: id) {
                    events.append($0)
                    return true
                }
                return events
            }
            let all = try warnings(after: nil)
            #expect(all.count == 3)
            #expect(try warnings(after: all[0].id) == Array(all.dropFirst()))
            #expect(try warnings(after: all[2].id).isEmpty)
            // An id that this log has not given out yet is another's.
            for id in ["0", "x", "1", "\(UInt64.max)"] { #expect(try warnings(after: id) == all) }
        }
    }

    @Test func aStreamEndsWithTheServer() async throws {
        let world = try await AdminWorld()
        Self.publish(["a"], by: world)
        let begun = Gate()
        async let end = onThread {
            try AdminClient(socketPath: world.path).follow("/api/events", after: "0") { _ in
                begun.open()
                return true
            }
        }
        try await onThread { try begun.wait() }
        try await world.stop()
        #expect(try await end == .ended)
    }

    @Test func aRefusalIsToldInTheAgentsWords() async throws {
        try await AdminWorld().run { world in
            for (target, words) in [
                ("/api/none", "nothing at this path"), ("/api/logs?level=x", "one of trace, debug"),
            ] {
                let error = #expect(throws: AdminClientError.self) {
                    try AdminClient(socketPath: world.path).follow(target) { _ in true }
                }
                #expect(error?.description.contains(words) == true)
            }
            let nonsense = #expect(throws: AdminClientError.self) {
                try AdminClient(socketPath: world.path).follow("/api/status") { _ in true }
            }
            #expect(nonsense?.reason == .nonsense)
        }
    }

    /// The warnings of before come first, each once; then what is written, by level and name.
    @Test func theLogIsToldWhileItIsWritten() async throws {
        try await AdminWorld().run { world in
            let logger = world.agent.log.makeLogger(label: "client")
            logger.warning("before", metadata: [.tunnelName: "web"])
            logger.warning("of another", metadata: [.tunnelName: "other"])
            logger.info("unheard", metadata: [.tunnelName: "web"])
            var seen: [LogEntry] = []
            let client = AdminClient(socketPath: world.path)
            let end = try client.follow("/api/logs?level=debug&tunnel=web") { event in
                guard let entry = try? JSONDecoder().decode(LogEntry.self, from: Data(event.data.utf8)) else {
                    return false
                }
                seen.append(entry)
                if seen.count == 1 {
                    logger.trace("too little", metadata: [.tunnelName: "web"])
                    logger.debug("other", metadata: [.tunnelName: "other"])
                    logger.debug("heard", metadata: [.tunnelName: "web"])
                    logger.warning("after", metadata: [.tunnelName: "web"])
                }
                return seen.count < 3
            }
            #expect(end == .stopped)
            #expect(seen.map(\.message) == ["before", "heard", "after"])
            #expect(seen.map(\.level) == ["warning", "debug", "warning"])
            #expect(seen.allSatisfy { $0.fields == ["tunnel.name": "web"] && $0.logger == "client" })
            var latest: [String] = []
            #expect(
                try client.follow("/api/logs?follow=no") {
                    latest.append($0.id ?? "")
                    return true
                } == .ended)
            #expect(latest.count == 3)
        }
    }
}
