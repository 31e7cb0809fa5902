import Testing
import TunnelConfiguration

/// How long a request has its place among those that a limit counts.
@Suite struct RequestPlaceTests {
    /// The tunnel may tell of the end a moment later: whoever has the whole answer, and sends another request at once, is
    /// not one too many.
    @Test func whoHasAllThatWasPromisedIsOver() throws {
        try EmbeddedServer.run(configuration: { $0.callerLimits.perToken.requests = 1 }) { server in
            let tunnel = try server.tunnel()
            let (first, second) = (try server.caller(), try server.caller())
            try first.ask()
            tunnel.answer(0, "200 OK|Content-Length: 8")
            tunnel.send(0, "half", isLast: false)
            #expect(try first.received().hasSuffix("|half"))
            try second.ask()
            #expect(try second.statuses() == [429])
            tunnel.send(0, "full", isLast: false)
            #expect(try first.received() == "full")
            try second.ask()
            tunnel.answer(1, "204 No Content", isLast: true)
            #expect(try second.statuses() == [204])
        }
    }
}
