import AgentStatus
import Foundation
import Logging
import NIOPosix
import Observability
import Synchronization
import TestSupport
import Testing
import TransportSecurity
import TunnelConfiguration
import X509

@testable import Webhooks

/// Webhooks against real HTTP servers on this machine.
@Suite(.timeLimit(.minutes(2))) struct WebhookTests {
    private static let secret = "webhook-secret-of-the-tests"

    /// A web server that notes what it is told, and answers as the test says.
    private final class Receiver: Sendable {
        struct Delivery: Sendable {
            let head: MessageHead
            let body: [UInt8]
            var message: String? {
                try? JSONDecoder().decode(AgentEvent.self, from: Data(body)).message
            }
        }

        let server: ScriptedOrigin
        let count = WaitableCounter()
        private let noted: Notes

        final class Notes: Sendable {
            let deliveries = Mutex<[Delivery]>([])
        }

        /// - Parameter answer: status and fields for the delivery of that number, from 0.
        init(
            port: Int = 0,
            _ answer: @escaping @Sendable (Int) throws -> (Int, [(String, String)]) = { _ in (204, []) }
        ) throws {
            let (noted, count) = (Notes(), count)
            self.noted = noted
            server = try ScriptedOrigin(port: port) { connection in
                while let head = try connection.readRequest() {
                    let delivery = Delivery(head: head, body: try connection.readBody(of: head))
                    let number = noted.deliveries.withLock { all in
                        all.append(delivery)
                        return all.count - 1
                    }
                    let (status, fields) = try answer(number)
                    if status == 204 {
                        try connection.writeHead(204, fields: fields)
                    } else {
                        try connection.respond(status, fields: fields, text: "noted")
                    }
                    count.add(1)
                }
            }
        }

        var deliveries: [Delivery] { noted.deliveries.withLock { $0 } }

        /// - Returns: that many deliveries, answered.
        func wait(for count: Int) throws -> [Delivery] {
            try self.count.wait(for: count, within: .seconds(30), what: "deliveries")
            return Array(deliveries.prefix(count))
        }
    }

    /// One webhook that runs.
    private final class World: Sendable {
        let stream = EventStream()
        let webhook: Webhook
        private let task: Task<Void, Never>

        init(_ configuration: WebhookConfiguration) throws {
            let webhook = Webhook(
                try PreparedWebhook(configuration) { true }, feed: stream.feed, after: 0,
                on: MultiThreadedEventLoopGroup.singleton.next(), software: "wstunnel test",
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            self.webhook = webhook
            task = Task { await webhook.run() }
        }

        func tell(_ numbers: some Sequence<Int>, _ kind: AgentEvent.Kind = .error) {
            for number in numbers { stream.publish(AgentEvent(kind, message: "\(number)")) }
        }

        /// Has it end, and waits for that.
        func end() async -> WebhookSnapshot {
            webhook.end()
            await task.value
            return webhook.snapshot
        }
    }

    private static func configuration(
        port: Int, path: String = "/hook?key=query-secret", kinds: Set<AgentEvent.Kind> = [],
        timeout: Duration = .seconds(10), tries: Int = 20
    ) -> WebhookConfiguration {
        WebhookConfiguration(
            name: "pager",
            url: WebhookURL(
                isSecure: false, host: "127.0.0.1", port: port, target: Secret(path),
                credentials: BasicCredentials(user: "me", password: Secret("url-password"))),
            secret: Secret(secret), kinds: kinds, timeout: timeout, mostTries: tries)
    }

    @Test func anEventComesWithASignatureThatVerifies() async throws {
        let receiver = try Receiver()
        let world = try World(Self.configuration(port: receiver.server.port))
        world.stream.publish(
            AgentEvent(.sessionDown, server: "public", tunnel: "web", code: "peer-silent", message: "gone"))
        let delivery = try await onThread { try receiver.wait(for: 1) }[0]
        #expect(delivery.head.method == "POST" && delivery.head.target == "/hook?key=query-secret")
        #expect(delivery.head["Host"] == "127.0.0.1:\(receiver.server.port)")
        #expect(delivery.head["Content-Type"] == "application/json")
        #expect(delivery.head["User-Agent"] == "wstunnel/test")
        #expect(
            delivery.head["Authorization"] == "Basic \(Data("me:url-password".utf8).base64EncodedString())")
        #expect(delivery.head["X-Wstunnel-Event"] == "session-down")
        let event = try JSONDecoder().decode(AgentEvent.self, from: Data(delivery.body))
        #expect(delivery.head["X-Wstunnel-Delivery"] == "\(event.id)")
        #expect(event.tunnel == "web" && event.code == "peer-silent" && event.id == world.stream.feed.last)
        let time = try #require(delivery.head["X-Wstunnel-Timestamp"])
        #expect(abs((Int(time) ?? 0) - Int(Date.now.timeIntervalSince1970)) < 60)
        let signed = HMAC.sha256(Array("\(time).".utf8) + delivery.body, key: Array(Self.secret.utf8))
        let digits = signed.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(delivery.head["X-Wstunnel-Signature"] == "sha256=\(digits)")
        let snapshot = await world.end()
        #expect(snapshot.delivered == 1 && snapshot.deadLetters == 0 && snapshot.fault == nil)
        #expect(snapshot.lastDeliveredAt != nil)
        // Nothing that is shown holds a secret.
        let shown = String(decoding: try JSONEncoder().encode(snapshot), as: UTF8.self)
        #expect(!shown.contains("secret") && !shown.contains("url-password"))
    }

    @Test func aFailureIsTriedAgainAndOrderIsKept() async throws {
        // Each of the first ones fails once, with another status, and the second one's connection is cut.
        let receiver = try Receiver { number in
            switch number {
            case 0: return (500, [])
            case 1: return (503, [("Retry-After", "1")])
            case 3: throw TestFailure("cut")
            case 5: return (429, [])
            default: return (200, [])
            }
        }
        let world = try World(Self.configuration(port: receiver.server.port))
        world.tell(1...4)
        let ids = try await onThread {
            // The one whose connection was cut is not counted.
            let all = try receiver.wait(for: 7) + [try #require(receiver.deliveries.last)]
            return all.compactMap { $0.head["X-Wstunnel-Delivery"] }
        }
        let messages = receiver.deliveries.compactMap(\.message)
        #expect(messages == ["1", "1", "1", "2", "2", "3", "3", "4"])
        #expect(Set(ids).count == 4)
        let snapshot = await world.end()
        #expect(snapshot.delivered == 4 && snapshot.failures == 4 && snapshot.deadLetters == 0)
    }

    @Test func aServerThatComesLaterGetsWhatWaited() async throws {
        let port = try freePort()
        let world = try World(Self.configuration(port: port))
        world.tell(1...3)
        while world.webhook.snapshot.failures == 0 || world.webhook.snapshot.waiting < 3 {
            await Task.yield()
        }
        #expect(world.webhook.snapshot.fault?.code == "refused")
        let receiver = try Receiver(port: port)
        let messages = try await onThread { try receiver.wait(for: 3).compactMap(\.message) }
        #expect(messages == ["1", "2", "3"])
        #expect(await world.end().delivered == 3)
    }

    @Test(arguments: [301, 307, 400, 401, 404, 410])
    func whatIsRefusedForGoodIsADeadLetter(status: Int) async throws {
        let receiver = try Receiver { number in (number == 0 ? status : 200, [("Location", "/other")]) }
        let world = try World(Self.configuration(port: receiver.server.port))
        world.tell(1...2)
        let deliveries = try await onThread { try receiver.wait(for: 2) }
        // Nor is anything looked for elsewhere.
        #expect(deliveries.map(\.message) == ["1", "2"])
        #expect(deliveries.allSatisfy { $0.head.target == "/hook?key=query-secret" })
        let snapshot = await world.end()
        #expect(snapshot.delivered == 1 && snapshot.deadLetters == 1)
    }

    @Test func whoTakesTooLongIsTriedAgain() async throws {
        let isSlow = Gate()
        let receiver = try Receiver { number in
            if number == 0 { try isSlow.wait() }
            return (200, [])
        }
        let world = try World(
            Self.configuration(port: receiver.server.port, timeout: .milliseconds(200)))
        world.tell(1...1)
        let first = try await onThread { try receiver.wait(for: 1) }
        #expect(first.map(\.message) == ["1"])
        // On a busy machine another try may be late as well.
        #expect(receiver.deliveries.count >= 2 && world.webhook.snapshot.failures >= 1)
        isSlow.open()
        #expect(await world.end().delivered == 1)
    }

    @Test func onlyItsKindsAreTold() async throws {
        let receiver = try Receiver()
        let world = try World(Self.configuration(port: receiver.server.port, kinds: [.banned, .sessionUp]))
        world.tell([1], .error)
        world.tell([2], .banned)
        world.tell([3], .sessionDown)
        world.tell([4], .sessionUp)
        let messages = try await onThread { try receiver.wait(for: 2).compactMap(\.message) }
        #expect(messages == ["2", "4"])
        #expect(await world.end().delivered == 2)
        #expect(receiver.deliveries.count == 2)
    }

    @Test func aSlowOneHoldsUpNoOther() async throws {
        let isStuck = Gate()
        let slow = try Receiver { _ in
            try isStuck.wait()
            return (200, [])
        }
        let quick = try Receiver()
        let (one, other) = (
            try World(Self.configuration(port: slow.server.port)),
            try World(Self.configuration(port: quick.server.port))
        )
        one.tell(1...50)
        other.tell(1...50)
        let messages = try await onThread { try quick.wait(for: 50).compactMap(\.message) }
        #expect(messages == (1...50).map(String.init))
        #expect(one.webhook.snapshot.delivered == 0)
        isStuck.open()
        _ = await (one.end(), other.end())
    }

    @Test func whatWaitsIsBounded() async throws {
        let isStuck = Gate()
        let receiver = try Receiver { _ in
            try isStuck.wait()
            return (200, [])
        }
        let world = try World(Self.configuration(port: receiver.server.port))
        world.tell(1...1)
        while receiver.deliveries.isEmpty { await Task.yield() }
        world.tell(2...2500)
        isStuck.open()
        let messages = try await onThread { try receiver.wait(for: 1001).compactMap(\.message) }
        #expect(messages == ["1"] + (1501...2500).map(String.init))
        let snapshot = await world.end()
        #expect(snapshot.delivered == 1001 && snapshot.deadLetters == 1499)
    }

    @Test func anotherURLGetsWhatTheOldOneDidNotTake() async throws {
        let port = try freePort()
        let world = try World(Self.configuration(port: port))
        world.tell(1...2)
        while world.webhook.snapshot.failures == 0 { await Task.yield() }
        let receiver = try Receiver()
        world.webhook.apply(
            try PreparedWebhook(Self.configuration(port: receiver.server.port, path: "/new")) { true })
        let deliveries = try await onThread { try receiver.wait(for: 2) }
        #expect(deliveries.map(\.message) == ["1", "2"])
        #expect(deliveries.allSatisfy { $0.head.target == "/new" })
        #expect(await world.end().delivered == 2)
    }

    @Test func atTheEndEachIsTriedOnce() async throws {
        let receiver = try Receiver { number in (number == 0 ? 503 : 200, [("Retry-After", "300")]) }
        let world = try World(Self.configuration(port: receiver.server.port))
        world.tell(1...3)
        _ = try await onThread { try receiver.wait(for: 1) }
        while world.webhook.snapshot.failures == 0 { await Task.yield() }
        let snapshot = await world.end()
        #expect(snapshot.delivered == 3 && snapshot.deadLetters == 0)
        let closed = try World(Self.configuration(port: try freePort()))
        closed.tell(1...3)
        let lost = await closed.end()
        #expect(lost.deadLetters == 3 && lost.waiting == 0)
    }
}
