import Testing
import TunnelConfiguration

/// What is found out about certificates when a configuration is read.
@Suite struct CertificateKeysTests {
    private static let text = """
        servers:
          - name: a
            tls: { certfile: /cert.pem, keyfile: /key.pem }
        """

    private static func problems(
        at now: Int = 1_797_292_800, _ fault: KeyPairFault? = nil, key: String = PretendMachine.key,
        text: String = text
    ) -> [String] {
        let machine = PretendMachine()
        machine.now = now
        machine.keyPairFault = fault
        machine.write(PretendMachine.certificate, to: "/cert.pem", isWorldReadable: true)
        machine.write(key, to: "/key.pem")
        machine.write(text, to: "/c")
        return loadConfiguration(at: "/c", from: machine).problems.map(\.description)
    }

    @Test func aGoodPairIsGood() { #expect(Self.problems() == []) }

    /// It is good from 2026-11-29 to 2126-11-05.
    @Test(arguments: [
        (1_795_996_124, ["is good from 2026-11-29 on only"]), (1_796_100_000, []),
        (4_949_596_125 - 15 * 86_400, []), (4_949_596_125 - 13 * 86_400, ["expires on 2126-11-05"]),
        (4_949_596_125 + 86_400, ["expired on 2126-11-05"]),
    ])
    func itsTimeIsLookedAt(now: Int, words: [String]) {
        let problems = Self.problems(at: now)
        #expect(problems.count == words.count, "\(problems)")
        for (problem, word) in zip(problems, words) {
            #expect(problem.contains("warning") && problem.contains(word), "\(problem)")
        }
    }

    @Test(arguments: [
        (KeyPairFault.mismatch, "is another certificate's"), (.isNoKey("x"), "cannot read the private key"),
        (.wrongPassword, "the password does not open"),
        (.badCertificate("x"), "the certificate cannot be used"),
    ])
    func whatTheLibrarySaysOfTheKeyIsTold(fault: KeyPairFault, words: String) {
        let problems = Self.problems(fault)
        #expect(problems.count == 1 && problems[0].contains(words), "\(problems)")
        #expect(problems.first?.contains("servers[a].tls.keyfile: ") == true)
    }

    @Test func anEncryptedKeyNeedsAPassword() {
        let key = PretendMachine.key.replacing("PRIVATE", with: "ENCRYPTED PRIVATE")
        #expect(Self.problems(key: key).map { $0.contains("the private key is encrypted") } == [true])
        let text = Self.text.replacing("key.pem }", with: "key.pem, keyfile-password: secret-of-the-key }")
        #expect(Self.problems(key: key, text: text) == [])
    }

    @Test func namesMayHoldStars() {
        #expect(NameGlob("edge-*").matches("EDGE-7") && NameGlob("*").matches(""))
        #expect(NameGlob("a*b*c").matches("a-b-b-c") && !NameGlob("a*b*c").matches("a-c"))
        #expect(!NameGlob("edge-*").matches("core-edge-7") && !NameGlob("edge").matches("edge-7"))
        #expect(NameGlob("*.test").matches("a.b.test") && !NameGlob("ab*ba").matches("aba"))
    }

    @Test func originsAreToldApartByTheirHosts() {
        let rule = OriginTrust(host: "*.lab.test", trust: PeerTrust())
        #expect(rule.holds(for: "A.lab.test") && !rule.holds(for: "lab.test"))
        #expect(
            !rule.holds(for: "a.b.lab.test") && OriginTrust(host: nil, trust: PeerTrust()).holds(for: "x"))
        #expect(OriginTrust(host: "10.0.0.7", trust: PeerTrust()).holds(for: "10.0.0.7"))
    }
}
