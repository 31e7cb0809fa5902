import Reconciliation
import Testing
import TunnelConfiguration

@Suite struct ClientAssignmentTests {
    private func assign(
        _ running: [TunnelClientConfiguration], _ desired: [TunnelClientConfiguration],
        givenUp: Set<String> = []
    ) -> [String: ClientSource] {
        assignClients(reconcile(running: running, desired: desired), givenUp: givenUp)
    }

    private let tunnel = Examples.tunnel("a")
    private var withOtherTimeout: TunnelClientConfiguration {
        var changed = tunnel
        changed.timeout += .seconds(1)
        return changed
    }
    private var withOtherPassword: TunnelClientConfiguration {
        var changed = tunnel
        changed.password = Secret("another")
        return changed
    }

    @Test func aTunnelThatStartsGetsAClient() {
        #expect(assign([], [tunnel]) == ["a": .made])
        // It may have given up before under the same name.
        #expect(assign([], [tunnel], givenUp: ["a"]) == ["a": .made])
    }

    @Test func whatCanChangeInPlaceKeepsItsClient() {
        #expect(assign([tunnel], [withOtherTimeout]) == ["a": .kept])
        #expect(assign([tunnel], [withOtherTimeout], givenUp: ["b"]) == ["a": .kept])
    }

    @Test func ofATunnelThatGaveUpNothingIsLeftToChange() {
        #expect(assign([tunnel], [withOtherTimeout], givenUp: ["a"]) == ["a": .made])
    }

    @Test func whatTheServerKnowsItByTakesANewClient() {
        #expect(assign([tunnel], [withOtherPassword]) == ["a": .made])
    }

    @Test func whatStaysOrGoesGetsNone() {
        #expect(assign([tunnel, Examples.tunnel("b")], [tunnel]) == [:])
        // What gave up and is not changed stays as it is.
        #expect(assign([tunnel], [tunnel], givenUp: ["a"]) == [:])
    }
}
