import Testing
import X509

@Suite struct ChainFaultTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let name: String
        let chain: [String]
        let kind: ChainFault.Kind
        let message: String
        var testDescription: String { name }
    }

    private static let leaf = "certificate 1 (CN=app.corp.example, O=Corp)"

    static let examples = [
        Example(
            name: "reversed", chain: [Sample.ca, Sample.issuing, Sample.leaf], kind: .leafIsAuthority,
            message:
                "certificate 1 (CN=Corp CA, O=Corp, C=DE) is an authority's, but stands first with others behind "
                + "it: put certificate 3 (CN=app.corp.example, O=Corp) first, and behind each one its issuer"),
        Example(
            name: "authorities only", chain: [Sample.issuing, Sample.ca], kind: .leafIsAuthority,
            message:
                "certificate 1 (CN=Corp Issuing CA, OU=Issuing, O=Corp) is an authority's, but stands first with "
                + "others behind it: put the certificate that this authority issued first"),
        Example(
            name: "root before the issuing authority", chain: [Sample.leaf, Sample.ca, Sample.issuing],
            kind: .outOfOrder(place: 1, issuer: 3),
            message: "certificate 2 (CN=Corp CA, O=Corp, C=DE) did not issue \(leaf): put certificate 3 "
                + "(CN=Corp Issuing CA, OU=Issuing, O=Corp), its issuer, directly behind it"),
        Example(
            name: "a gap", chain: [Sample.leaf, Sample.ca], kind: .unrelated(place: 2),
            message:
                "certificate 2 (CN=Corp CA, O=Corp, C=DE) did not issue \(leaf): put the certificate of its "
                + "issuer, CN=Corp Issuing CA, OU=Issuing, O=Corp, between them, or take out certificate 2 and what "
                + "follows"),
        Example(
            name: "behind the root", chain: [Sample.leaf, Sample.issuing, Sample.ca, Sample.other],
            kind: .unrelated(place: 4),
            message:
                "certificate 4 (CN=Other CA, O=Other) did not issue certificate 3 (CN=Corp CA, O=Corp, C=DE), "
                + "which signs itself: take out what stands behind that"),
        Example(
            name: "twice", chain: [Sample.leaf, Sample.issuing, Sample.leaf],
            kind: .repeated(first: 1, again: 3),
            message: "certificate 3 (CN=app.corp.example, O=Corp) is the same as certificate 1: take one out"),
    ]

    @Test(arguments: examples) func faultsSayWhatToDo(_ example: Example) throws {
        let fault = try #require(ChainFault.of(try example.chain.map { try certificate($0) }))
        #expect(fault.kind == example.kind)
        #expect(fault.description == example.message)
    }

    @Test(arguments: [
        [], [Sample.leaf], [Sample.ca], [Sample.withoutSAN], [Sample.leaf, Sample.issuing],
        [Sample.leaf, Sample.issuing, Sample.ca],
    ])
    func soundChainsHaveNone(_ chain: [String]) throws {
        #expect(ChainFault.of(try chain.map { try certificate($0) }) == nil)
    }
}
