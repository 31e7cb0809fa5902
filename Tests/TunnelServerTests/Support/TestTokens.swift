import Testing
import TunnelProtocol

/// Tokens of these tests.
enum TestTokens {
    static let first = token("server-test-token-1")
    static let second = token("server-test-token-2")
    static let firstField = [("X-Token", first.secret)]
    static let secondField = [("X-Token", second.secret)]

    private static func token(_ text: String) -> RendezvousToken {
        do { return try RendezvousToken(text) } catch { preconditionFailure("no token: \(text)") }
    }
}
