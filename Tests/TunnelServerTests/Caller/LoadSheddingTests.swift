import HostSystem
import NIOCore
import Testing
import TunnelConfiguration

@testable import TunnelServer

/// What callers get of a server whose process runs short of something.
@Suite struct ServerLoadTests {
    private static func unknown(_ number: Int) -> String {
        "GET / HTTP/1.1|Host: a|X-Token: nobody-has-this-token-\(number)||"
    }

    @Test func whatHasBegunIsFinishedAndEndsItsConnection() throws {
        try EmbeddedServer.run { server in
            let (tunnel, begun, waiting) = (try server.tunnel(), try server.caller(), try server.caller())
            try begun.ask("/begun")
            try waiting.ask("/waiting")
            tunnel.answer(0, "200 OK|Content-Length: 4")
            #expect(try begun.received().contains("Connection") == false)
            server.core.gauge.stage = .noNewRequests
            tunnel.send(0, "text")
            tunnel.answer(1, "200 OK|Content-Length: 4")
            tunnel.send(1, "text")
            #expect(try begun.received() == "text" && begun.isOpen)
            let answer = try waiting.received()
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("Connection: close"))
            #expect(answer.hasSuffix("|text") && !waiting.isOpen)
            // Who was told that it may stay has a second to see that it may not.
            server.advance(.seconds(1))
            #expect(begun.isClosed)
        }
    }

    @Test func aRequestThatIsRefusedIsNoGuessAndUsesNoLimit() throws {
        try EmbeddedServer.run {
            $0.callerLimits.perToken.requestRate = .init(perSecond: 1, burst: 1)
        } _: { server in
            let tunnel = try server.tunnel()
            server.core.gauge.stage = .noNewRequests
            for number in 0..<150 {
                let caller = try server.caller()
                try number == 0 ? caller.ask() : caller.send(Self.unknown(number))
                let answer = try caller.received()
                #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("|X-Limit: load|"))
                #expect(answer.contains("|Retry-After: 5|") && answer.contains("|Connection: close|"))
                #expect(!caller.isOpen)
            }
            let health = try server.caller()
            try health.send("GET /_health_check HTTP/1.1|Host: a||")
            #expect(try health.statuses() == [200])
            server.core.gauge.stage = .none
            let caller = try server.caller()
            try caller.send(Self.unknown(0))
            #expect(try caller.statuses() == [404])
            try caller.ask()
            tunnel.answer(0, "204 No Content", isLast: true)
            #expect(try caller.statuses() == [204] && caller.isOpen)
        }
    }
}
