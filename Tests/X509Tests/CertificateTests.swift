import Testing
import X509

@Suite struct CertificateTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let name: String
        let pem: String
        let subject: String
        var issuer: String?
        let key: String
        var isAuthority = false
        /// As `openssl x509 -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64` has it.
        let pin: String
        var testDescription: String { name }
    }

    static let examples = [
        Example(
            name: "authority", pem: Sample.ca, subject: "CN=Corp CA, O=Corp, C=DE", key: "EC P-256",
            isAuthority: true, pin: "J2eoOCoWuq4XMHyRvRI+QC9xgFoyLafaxAJTTozu6Is="),
        Example(
            name: "issuing authority", pem: Sample.issuing, subject: "CN=Corp Issuing CA, OU=Issuing, O=Corp",
            issuer: "CN=Corp CA, O=Corp, C=DE", key: "RSA 2048", isAuthority: true,
            pin: "bEIlxjMvjha33xHb83pVT/tTlI7Tci4AoI6ZmtnNk6M="),
        Example(
            name: "leaf", pem: Sample.leaf, subject: "CN=app.corp.example, O=Corp",
            issuer: "CN=Corp Issuing CA, OU=Issuing, O=Corp", key: "EC P-384",
            pin: "4fyfR9geDG3KuJoWyBheP/Lnc7ALopJt5Bc2DqdOiHw="),
        Example(
            name: "without SAN", pem: Sample.withoutSAN, subject: "CN=old.corp.example", key: "Ed25519",
            pin: "XDH0j3DPo4z3OBiZpC9MU3k+EHTYhSPPRLlLxYFNCFI="),
        Example(
            name: "multi-valued", pem: Sample.multiValued,
            subject: #"CN=Zweig\+Stelle+UID=7+OU=A, O=Müller\, Söhne, C=DE"#, key: "EC P-521",
            isAuthority: true, pin: "Vw8wklhQ0OGBjmnn7I68pr7qKjM0uuKnkFcg5JSY880="),
        Example(
            name: "BMPString", pem: Sample.bmp, subject: "CN=Corp BMP, O=Ελληνικά", key: "Ed25519",
            pin: "0SPTywWTcwykOaKst/RITexLndTob5WCuQebLDm/d3E="),
        Example(
            name: "PrintableString", pem: Sample.printable, subject: "CN=printable.example, O=Printable Corp",
            key: "RSA 1024", pin: "+dE+5saduPo6IKEkK2DMMBJwCWlmZ3MadotBQdLjuYY="),
        Example(
            name: "other authority", pem: Sample.other, subject: "CN=Other CA, O=Other", key: "Ed25519",
            isAuthority: true, pin: "Vysi3SHgNNgjr4mWvQ5872VncLR1Khr0T/37Os82J2c="),
        Example(
            name: "expired", pem: Sample.expired1999, subject: "CN=times", key: "Ed25519",
            pin: "stbwOIzOe707UqD26L2nFmb9rmM3P89xnsWzgTpDRkQ="),
    ]

    @Test(arguments: examples) func factsAreAsOpenSSLShowsThem(_ example: Example) throws {
        let certificate = try certificate(example.pem)
        #expect(certificate.subject.description == example.subject)
        #expect(certificate.issuer.description == example.issuer ?? example.subject)
        #expect(certificate.keyDescription == example.key)
        #expect(certificate.isAuthority == example.isAuthority)
        #expect(certificate.pin == example.pin)
    }

    @Test func alternativeNamesAreReadByKind() throws {
        let leaf = try certificate(Sample.leaf)
        #expect(leaf.dnsNames == ["app.corp.example", "*.apps.corp.example"])
        #expect(leaf.ipAddresses == ["192.0.2.7", "2001:db8::7"])
        #expect(leaf.emails == ["ops@corp.example"])
        #expect(leaf.uris == ["spiffe://corp.example/app"])
        #expect(
            leaf.names == [
                "app.corp.example", "*.apps.corp.example", "192.0.2.7", "2001:db8::7", "ops@corp.example",
                "spiffe://corp.example/app",
            ])
    }

    @Test func withoutSANItIsForItsCommonName() throws {
        let old = try certificate(Sample.withoutSAN)
        #expect(old.names == ["old.corp.example"])
        #expect(old.dnsNames.isEmpty && old.ipAddresses.isEmpty && old.emails.isEmpty && old.uris.isEmpty)
    }

    @Test func bothFormsOfTimeAreRead() throws {
        let expired = try certificate(Sample.expired1999)
        #expect([expired.notBefore, expired.notAfter] == [883_710_245, 946_684_799])
        let turn = try certificate(Sample.turn2050)
        #expect([turn.notBefore, turn.notAfter] == [2_524_607_999, 2_524_608_000])
        let unending = try certificate(Sample.unending)
        #expect([unending.notBefore, unending.notAfter] == [-631_152_000, 253_402_300_799])
    }

    @Test func bothEndsBelongToTheValidity() throws {
        let expired = try certificate(Sample.expired1999)
        #expect(expired.validity(at: 883_710_244) == .notYet)
        #expect(expired.validity(at: 883_710_245) == .valid)
        #expect(expired.validity(at: 946_684_799) == .valid)
        #expect(expired.validity(at: 946_684_800) == .expired)
        #expect(expired.validity(at: .min) == .notYet)
        #expect(expired.validity(at: .max) == .expired)
    }

    @Test(arguments: [
        ("240229000000Z", 1_709_164_800), ("700101000000Z", 0), ("500101000000Z", -631_152_000),
        ("20000229120000Z", 951_825_600), ("00000101000000Z", -62_167_219_200),
    ])
    func timesAreCountedInSeconds(_ text: String, _ seconds: Int) throws {
        let times = MadeCertificate.time(text) + MadeCertificate.time(text)
        let certificate = try MadeCertificate(validity: times).certificate()
        #expect([certificate.notBefore, certificate.notAfter] == [seconds, seconds])
    }

    @Test(arguments: [
        "", "Z", "250229000000Z", "250431000000Z", "251301000000Z", "250001000000Z", "250100000000Z",
        "250101240000Z", "250101006000Z", "250101000060Z", "2501010000Z", "250101000000", "250101000000+0000",
        "2501010000 0Z", "2501010000-1Z", "20250101000000.5Z", "21000229000000Z", "20250101000000",
        "é50101000000",
    ])
    func otherTimesAreRefused(_ text: String) {
        let certificate = MadeCertificate(
            validity: MadeCertificate.time(text) + MadeCertificate.time("270101000000Z"))
        #expect(throws: X509Error.self) { try certificate.certificate() }
    }

    @Test func namesAreEqualByTheirBytes() throws {
        let issuing = try certificate(Sample.issuing)
        #expect(issuing.issuer == (try certificate(Sample.ca)).subject)
        #expect(issuing.issuer != issuing.subject)
        #expect(Set([issuing.issuer, issuing.subject, (try certificate(Sample.ca)).issuer]).count == 2)
        #expect(issuing.subject.commonName == "Corp Issuing CA")
    }

    @Test(arguments: [
        ("a\u{1b}[2J\r\nb", #"CN=a\1B[2J\0D\0Ab"#), ("a\0b", #"CN=a\00b"#), ("\u{9b}x", #"CN=\C2\9Bx"#),
        ("a\u{202e}b", #"CN=a\E2\80\AEb"#), ("a\u{200b}b\u{feff}", #"CN=a\E2\80\8Bb\EF\BB\BF"#),
        (" a ", #"CN=\ a\ "#), (" ", #"CN=\ "#), ("#a#", ##"CN=\#a#"##),
        (#"a\,b+"<c>;"#, #"CN=a\\\,b\+\"\<c\>\;"#),
        ("日本", "CN=日本"), ("", "CN="), ("x\u{2028}", #"CN=x\E2\80\A8"#), ("\u{7f}", #"CN=\7F"#),
    ])
    func namesAreEscapedForMessages(_ commonName: String, _ description: String) throws {
        let certificate = try MadeCertificate(subject: MadeCertificate.name(commonName)).certificate()
        #expect(certificate.subject.description == description)
        #expect(certificate.subject.commonName == commonName)
    }

    /// Of a name of so many characters, which are shown as so many.
    @Test(
        arguments: [("x", 1), ("é", 1), ("e\u{301}", 2), ("\0", 3), ("\u{202e}", 9)],
        [1, 21, 22, 65, 66, 98, 99, 197, 198, 5000])
    func descriptionsAreShort(_ shown: (character: String, length: Int), _ count: Int) throws {
        let name = String(repeating: shown.character, count: count)
        let certificate = try MadeCertificate(subject: MadeCertificate.name(name)).certificate()
        let description = certificate.subject.description
        #expect(description.unicodeScalars.count <= 200)
        #expect(description.hasSuffix("…") == (3 + count * shown.length > 200))
        #expect(certificate.names.allSatisfy { $0.unicodeScalars.count <= 200 })
        #expect(certificate.subject.commonName == name)
    }

    @Test func unusualPartsOfNamesAreShown() throws {
        let element = MadeCertificate.element
        let parts = [
            MadeCertificate.part("example", type: [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25]),
            MadeCertificate.part("x", type: [0x2b, 6, 1, 4, 1, 0x82, 0x37]),
            MadeCertificate.part("x", type: [0x80, 1]),
            MadeCertificate.part(element(0x02, [5]), type: [0x55, 4, 10]),
            MadeCertificate.part(element(0x14, [0x4d, 0xfc]), type: [0x55, 4, 11]),
            MadeCertificate.part(element(0x1c, [0, 1, 0xf6, 0x00]), type: [0x55, 4, 7]),
            MadeCertificate.part(element(0x1e, [0xd8, 0]), type: [0x55, 4, 8]),
            MadeCertificate.part(element(0x13, [0xfc]), type: [0x55, 4, 6]),
            element(0x31, []),
        ]
        let certificate = try MadeCertificate(subject: element(0x30, parts.flatMap { $0 })).certificate()
        #expect(
            certificate.subject.description
                == "C=#1301FC, ST=#1E02D800, L=😀, OU=Mü, O=#020105, (unknown type)=x, 1.3.6.1.4.1.311=x, DC=example"
        )
        #expect(certificate.subject.commonName == nil)
    }

    @Test func anEmptySubjectIsNoFault() throws {
        var made = MadeCertificate(subject: [0x30, 0])
        #expect(try made.certificate().subject.description == "(no name)")
        #expect(try made.certificate().names.isEmpty)
        made.extensions = [MadeCertificate.alternativeNames(MadeCertificate.dnsName("a.example"))]
        #expect(try made.certificate().description == "a.example")
    }

    @Test func theMostSpecificCommonNameCounts() throws {
        let name = MadeCertificate.element(0x30, MadeCertificate.part("one") + MadeCertificate.part("two"))
        #expect(try MadeCertificate(subject: name).certificate().subject.commonName == "two")
    }

    @Test func namesThatAreNoneAreShownOnly() throws {
        let element = MadeCertificate.element
        let names = MadeCertificate.alternativeNames(
            MadeCertificate.dnsName("a\0.example"), element(0x81, [0xfc]), element(0x86, []),
            element(0x87, [1, 2, 3]), element(0x87, Array(repeating: 0, count: 16)),
            element(0x87, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]),
            element(0x87, [0x20, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
            element(0x87, [0x20, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1]),
            element(0x87, [0x20, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1]))
        let certificate = try MadeCertificate(extensions: [names]).certificate()
        #expect(certificate.dnsNames.isEmpty && certificate.emails.isEmpty && certificate.uris.isEmpty)
        let addresses = [
            "::", "::ffff:10.0.0.1", "2001:0:0:1::1", "2001:0:1:1:0:1:1:1", "2001::1:1:0:0:1",
        ]
        #expect(certificate.ipAddresses == addresses)
        #expect(certificate.names == [#"a\00.example"#, #"\FC"#] + addresses)
    }

    @Test(
        arguments: [
            ([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], "1.2.840.113549.1.1.10"),
            ([0x2b, 0x65, 113], "Ed448"),
            ([0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "EC"),
            ([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], "RSA"),
            ([], "unknown"), ([0x80], "unknown"), (Array(repeating: 0xff, count: 30), "unknown"),
            (
                [0x69, 0x83] + Array(repeating: 0xff, count: 17) + [0x7f],
                "2.25.340282366920938463463374607431768211455"
            ),
            ([0x69, 0x84] + Array(repeating: 0xff, count: 17) + [0x7f], "unknown"),
            ([0x2a, 0x80, 1], "unknown"),
            ([0x88, 0x37], "2.999"), ([0x27], "0.39"), ([0x28], "1.0"), ([0x4f], "1.39"), ([0x50], "2.0"),
        ] as [([UInt8], String)])
    func keysAreNamedByTheirAlgorithm(_ type: [UInt8], _ text: String) throws {
        let element = MadeCertificate.element
        let key = element(0x30, element(0x30, element(0x06, type)) + element(0x03, [0]))
        #expect(try MadeCertificate(key: key).certificate().keyDescription == text)
    }
}
