import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

/// How who guesses secrets is slowed down.
@Suite struct AuthenticationThrottleTests {
    private typealias Knocker = AuthenticationThrottle.Knocker

    private let start = MonotonicInstant(nanoseconds: 1)
    private let address = AddressGroup("192.0.2.1")

    private func knocker(_ token: String) throws -> Knocker {
        Knocker(address: address, token: try RendezvousToken(token))
    }

    @Test func wrongPasswordsOfOneTokenShutOutNoOther() throws {
        var throttle = AuthenticationThrottle()
        let guesser = throttle.guesser(try knocker("throttle-token-001"), client: nil)
        for number in 0..<10 {
            #expect(!throttle.refusesPassword(guesser, now: start))
            throttle.passwordFailed(guesser, Secret("wrong \(number)"), now: start)
        }
        #expect(throttle.refusesPassword(guesser, now: start))
        let other = throttle.guesser(try knocker("throttle-token-002"), client: nil)
        #expect(!throttle.refusesPassword(other, now: start))
        #expect(!throttle.refusesPassword(guesser, now: start.advanced(by: .seconds(10))), "one is forgiven")
    }

    @Test func aClientThatWasRightBeforeIsAloneWithItsFailures() throws {
        var throttle = AuthenticationThrottle()
        let knocker = try knocker("throttle-token-001")
        throttle.passwordWasRight(knocker, client: "good")
        let stranger = throttle.guesser(knocker, client: "stranger")
        for number in 0..<11 { throttle.passwordFailed(stranger, Secret("wrong \(number)"), now: start) }
        #expect(throttle.refusesPassword(stranger, now: start))
        #expect(throttle.refusesPassword(throttle.guesser(knocker, client: nil), now: start))
        #expect(!throttle.refusesPassword(throttle.guesser(knocker, client: "good"), now: start))
    }

    @Test func tokensThatAreNobodysAreToleratedAHundredTimes() {
        var throttle = AuthenticationThrottle()
        let failures = (0..<102).map { _ in throttle.tokenFailed(from: address, now: start) }
        #expect(failures.firstIndex(of: true) == 100 && failures.last == true)
        let other = throttle.tokenFailed(from: AddressGroup("192.0.2.2"), now: start)
        let later = throttle.tokenFailed(from: address, now: start.advanced(by: .seconds(2)))
        #expect(!other && !later)
    }
}
