import HTTPMessage
import NIOCore
import OriginHTTP
import ProxyProtocol
import TestSupport
import Testing

/// Connections to services that speak no HTTP.
@Suite(.timeLimit(.minutes(1))) struct TCPOriginTests {
    private static let request = RawStream.request(caller: "192.0.2.1:40000", local: nil)

    private static func echo() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            let bytes = try connection.socket.readToEnd()
            try connection.socket.write(bytes)
        }
    }

    @Test func itIsGrantedOnceItIsConnectedAndCarriesBothWays() throws {
        let service = try Self.echo()
        let exchange = try RecordedExchange(
            TCPOrigin(host: "127.0.0.1", port: service.port), Self.request)
        // Before there is a connection.
        try exchange.send("early ")
        try exchange.send("and late")
        try exchange.end()
        let state = try exchange.waitForEnd()
        #expect(state.heads == [RawStream.grant] && state.framings == [.untilClose])
        #expect(state.text == "early and late" && state.error == nil)
        #expect(!state.calledTooEarly && !state.calledAfterEnd)
    }

    @Test func whoCallsIsSaidFirst() throws {
        let service = try Self.echo()
        let origin = TCPOrigin(host: "127.0.0.1", port: service.port, header: .v1)
        let request = RawStream.request(caller: "192.0.2.1:40000", local: "[2001:db8::1]:22")
        for (request, line) in [
            (Self.request, "TCP4 192.0.2.1 0.0.0.0 40000 0"),
            (request, "TCP6 ::ffff:192.0.2.1 2001:db8::1 40000 22"),
        ] {
            let exchange = try RecordedExchange(origin, request)
            try exchange.send("hello")
            try exchange.end()
            #expect(try exchange.waitForEnd().text == "PROXY \(line)\r\nhello")
        }
    }

    @Test func aRequestOfHTTPIsRefused() throws {
        let state = try RecordedExchange.get(TCPOrigin(host: "127.0.0.1", port: 1))
        #expect(state.error?.code == .badRequest && state.heads.isEmpty)
    }

    @Test func nobodyThereIsSaid() throws {
        let exchange = try RecordedExchange(TCPOrigin(host: "127.0.0.1", port: try freePort()), Self.request)
        let state = try exchange.waitForEnd()
        #expect(state.error?.code == .refused && state.heads.isEmpty)
    }

    @Test func aResetIsAnErrorBehindWhatCame() throws {
        let service = try ScriptedOrigin { connection in
            try connection.socket.write("before")
            try connection.socket.waitUntilDelivered()
            // Said to have been read.
            _ = try connection.socket.read(1)
            connection.socket.reset()
        }
        let exchange = try RecordedExchange(
            TCPOrigin(host: "127.0.0.1", port: service.port), Self.request)
        try exchange.wait("what comes before") { $0.text == "before" }
        try exchange.send("x")
        let state = try exchange.waitForEnd()
        #expect(state.error?.code == .closedEarly && state.text == "before")
    }

    @Test func whoGivesItUpResetsTheService() throws {
        let service = try ScriptedOrigin { connection in
            try connection.socket.write("up")
            #expect(connection.socket.waitForEnd() == .reset)
        }
        let exchange = try RecordedExchange(
            TCPOrigin(host: "127.0.0.1", port: service.port), Self.request)
        try exchange.wait("the service") { $0.text == "up" }
        try exchange.cancel()
        try service.waitForEnds(1)
        #expect(service.failures.isEmpty)
    }
}
