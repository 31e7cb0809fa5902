import Testing
import X509

/// What is refused, and that nothing traps.
@Suite struct StructureTests {
    private static let leaf = Result { try certificate(Sample.leaf).der }

    @Test func everyPrefixIsRefused() throws {
        let der = try Self.leaf.get()
        for count in 0..<der.count {
            #expect(throws: X509Error.self) { try X509Certificate(der: Array(der.prefix(count))) }
        }
    }

    @Test func whatFollowsIsRefused() throws {
        let der = try Self.leaf.get() + [0]
        #expect(throws: X509Error.self) { try X509Certificate(der: der) }
    }

    /// Seed 1: reading them must end, with facts or an error.
    @Test func mutationsNeitherTrapNorHang() throws {
        let der = try Self.leaf.get()
        var random = Random(state: 1)
        var read = 0
        for _ in 0..<20_000 {
            var mutated = der
            for _ in 0...Int.random(in: 0..<3, using: &random) { Self.mutate(&mutated, &random) }
            guard let certificate = try? X509Certificate(der: mutated) else { continue }
            read += 1
            Self.useAll(certificate)
        }
        // Most of a certificate is names, numbers and signature: many mutations go through to the facts.
        #expect(read > 2000)
    }

    @Test func mutatedFilesNeitherTrapNorHang() throws {
        let pem = Array((Sample.leaf + "\n" + Sample.withoutSAN + "\n").utf8)
        var random = Random(state: 2)
        for _ in 0..<2000 {
            var mutated = pem
            for _ in 0...Int.random(in: 0..<3, using: &random) { Self.mutate(&mutated, &random) }
            for block in (try? PEM.blocks(in: mutated)) ?? [] { _ = try? X509Certificate(der: block.bytes) }
        }
    }

    @Test func aCertificateBeyondTheLimitIsRefused() throws {
        let large = MadeCertificate(subject: MadeCertificate.name(String(repeating: "x", count: 256 << 10)))
        #expect(throws: X509Error.self) { try large.certificate() }
        let error = try #require(throws: X509Error.self) { try X509Certificate(der: large.der) }
        #expect(error.code == .tooLarge)
        let name = String(repeating: "x", count: 255 << 10)
        #expect(
            try MadeCertificate(subject: MadeCertificate.name(name)).certificate().subject.commonName == name)
    }

    @Test(
        arguments: [
            ([], "the certificate, at byte 0, is missing or cut off"),
            ([0x30], "the certificate, at byte 0, is missing or cut off"),
            ([0x30, 0x80, 0, 0], "the certificate, at byte 0, has no length, or one beyond all limits"),
            (
                [0x30, 0x84, 0, 0, 0, 0],
                "the certificate, at byte 0, has no length, or one beyond all limits"
            ),
            ([0x30, 0xff], "the certificate, at byte 0, has no length, or one beyond all limits"),
            ([0x30, 0x83, 0xff, 0xff, 0xff], "the certificate, at byte 0, is cut off"),
            ([0x30, 0x82, 1], "the certificate, at byte 0, is cut off"),
            (
                [0x30, 0x81, 2, 0x30, 0],
                "the certificate, at byte 0, does not write its length in the shortest form"
            ),
            (
                [0x30, 0x82, 0, 0x80],
                "the certificate, at byte 0, does not write its length in the shortest form"
            ),
            ([0x31, 0], "the certificate, at byte 0, is of another type"),
            ([0x3f, 1, 0], "the certificate, at byte 0, has a tag of several bytes"),
            ([0x30, 0], "the signed part, at byte 2, is missing or cut off"),
            ([0x30, 2, 0x04, 0], "the signed part, at byte 2, is of another type"),
            ([0x30, 0, 0], "the certificate, at byte 2, goes on where it should end"),
        ] as [([UInt8], String)])
    func errorsSayWhatAndWhere(_ bytes: [UInt8], _ message: String) throws {
        let error = try #require(throws: X509Error.self) { try X509Certificate(der: bytes) }
        #expect(error.description == "no certificate in DER: " + message)
        #expect(error.code == .malformed)
    }

    @Test func extensionsAreReadOnceAndInWhole() throws {
        let constraints = MadeCertificate.basicConstraints()
        let names = MadeCertificate.alternativeNames(MadeCertificate.dnsName("a.example"))
        let element = MadeCertificate.element
        let unknown = element(0x30, element(0x06, [0x55, 0x1d, 99]) + element(0x04, [1, 2, 3]))
        let sound = try MadeCertificate(extensions: [unknown, constraints, unknown, names]).certificate()
        #expect(sound.isAuthority && sound.dnsNames == ["a.example"])
        let refused = [
            [constraints, constraints], [names, names], [[0x30, 0]], [[0x05, 0]], [unknown + [0]],
            [MadeCertificate.basicConstraints(element(0x01, [1]))],
            [MadeCertificate.basicConstraints(element(0x01, []))],
            [MadeCertificate.alternativeNames([0x82, 5])],
        ]
        for extensions in refused {
            #expect(throws: X509Error.self) { try MadeCertificate(extensions: extensions).certificate() }
        }
    }

    @Test(
        arguments: [([], false), ([0x01, 1, 0], false), ([0x01, 1, 0xff, 0x02, 1, 0], true)]
            as [([UInt8], Bool)])
    func anAuthoritySaysSo(_ content: [UInt8], _ isAuthority: Bool) throws {
        let made = MadeCertificate(extensions: [MadeCertificate.basicConstraints(content)])
        #expect(try made.certificate().isAuthority == isAuthority)
    }

    /// 80,000 names and as many extensions: no step looks at all others.
    @Test(.timeLimit(.minutes(1))) func manyPartsAreReadInTheirTime() throws {
        let name = MadeCertificate.alternativeNames(
            Array(repeating: [0x82, 1, 0x61], count: 80_000).flatMap { $0 })
        let certificate = try MadeCertificate(extensions: [name]).certificate()
        #expect(certificate.dnsNames.count == 80_000)
        #expect(!certificate.isFor(host: "b"))
        let parts = Array(repeating: [0x31, 0] as [UInt8], count: 120_000).flatMap { $0 }
        #expect(
            try MadeCertificate(subject: MadeCertificate.element(0x30, parts)).certificate().subject
                .description
                == "(no name)")
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout Random) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes[place] = [0, 0x7f, 0x80, 0x81, 0x84, 0xff].randomElement(using: &random) ?? 0
        case 3: bytes.remove(at: place)
        case 4: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        default:
            let other = Int.random(in: 0..<bytes.count, using: &random)
            bytes.swapAt(place, other)
        }
    }

    private static func useAll(_ certificate: X509Certificate) {
        _ = certificate.description.count + certificate.issuer.description.count + certificate.names.count
        _ = certificate.ipAddresses.count + certificate.pin.count + certificate.keyDescription.count
        _ = certificate.isFor(host: "app.corp.example") || certificate.isFor(host: "192.0.2.8")
        _ = certificate.validity(at: 0)
        _ = CalendarDate.text(certificate.notBefore) + CalendarDate.text(certificate.notAfter)
        _ = ChainFault.of([certificate, certificate])
    }
}

/// SplitMix64.
private struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
