import Testing
import X509

@Suite struct HostTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let presented: String
        let hosts: [String]
        let others: [String]
        var testDescription: String { presented }

        init(_ presented: String, _ hosts: [String], not others: [String]) {
            self.presented = presented
            self.hosts = hosts
            self.others = others
        }
    }

    static let examples = [
        Example(
            "app.example", ["app.example", "APP.Example", "app.example."],
            not: [
                "", ".", "example", "xapp.example", "a.app.example", "app.example..", ".app.example",
                "app.example\0", "app.examplé", "app example", "*.example",
            ]),
        Example("App.Example.", ["app.example", "app.example."], not: ["app.example.."]),
        Example("my_host", ["my_host", "MY_HOST."], not: ["my-host"]),
        Example(
            "*.app.example",
            ["a.app.example", "A.APP.example.", "xn--bcher-kva.app.example", "_x.app.example"],
            not: ["app.example", "a.b.app.example", ".app.example", "*.app.example", "a.xapp.example"]),
        Example("*", [], not: ["a", "", "*"]),
        Example("*.", [], not: ["a", "a.", "."]),
        Example("*.example", ["a.example"], not: ["example", "a.b.example"]),
        Example("a*.example", [], not: ["ab.example", "a*.example", "a.example"]),
        Example("*a.example", [], not: ["ba.example"]),
        Example("a.*.example", [], not: ["a.b.example", "a.*.example"]),
        Example("*.*.example", [], not: ["a.b.example"]),
        Example("192.0.2.7", [], not: ["192.0.2.7", "192.0.2.7."]),
        Example("*.0.2.7", [], not: ["192.0.2.7", "a.0.2.7"]),
        Example("127.1", [], not: ["127.1", "127.0.0.1"]),
        Example("::1", [], not: ["::1", "[::1]"]),
        Example("a.example\0.evil", [], not: ["a.example", "a.example\0.evil"]),
    ]

    @Test(arguments: examples) func namesOfTheSANMatchByTheRules(_ example: Example) throws {
        let names = MadeCertificate.alternativeNames(MadeCertificate.dnsName(example.presented))
        try check(try MadeCertificate(extensions: [names]).certificate(), example)
    }

    @Test(arguments: examples) func theCommonNameMatchesByTheSameRules(_ example: Example) throws {
        let subject = MadeCertificate.name(example.presented)
        try check(try MadeCertificate(subject: subject).certificate(), example)
    }

    @Test func theCommonNameDoesNotCountBesideASAN() throws {
        var made = MadeCertificate(subject: MadeCertificate.name("app.example"))
        #expect(try made.certificate().isFor(host: "app.example"))
        for names in [[], MadeCertificate.dnsName("other.example"), MadeCertificate.element(0x81, [0x61])] {
            made.extensions = [MadeCertificate.alternativeNames(names)]
            #expect(try !made.certificate().isFor(host: "app.example"))
        }
    }

    @Test(arguments: [
        "192.0.2.7", "192.0.2.7.", "2001:db8::7", "2001:DB8:0:0::7", "2001:db8:0:0:0:0:0:7",
        "app.corp.example",
        "x.apps.corp.example",
    ])
    func theLeafIsFor(_ host: String) throws {
        #expect(try certificate(Sample.leaf).isFor(host: host))
    }

    @Test(arguments: [
        "192.0.2.8", "192.0.2.07", "192.0.2", "192.0.2.7.1", "::ffff:192.0.2.7", "::ffff:c000:207",
        "2001:db8::8",
        "[2001:db8::7]", "2001:db8::7%eth0", "2001:db8::+7", "2001:db8:::7", "2001:db8", "corp.example", ":",
        "::",
        "ops@corp.example", "1:2:3:4:5:6:7:8:9", "1::2::3", "192.0.2.256", "192.0.2.-1", "0xc0.0.2.7", "",
    ])
    func theLeafIsNotFor(_ host: String) throws {
        #expect(try !certificate(Sample.leaf).isFor(host: host))
    }

    @Test func mappedAddressesAreTheirOwn() throws {
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7]
        let names = MadeCertificate.alternativeNames(MadeCertificate.element(0x87, mapped))
        let certificate = try MadeCertificate(extensions: [names]).certificate()
        #expect(certificate.isFor(host: "::ffff:192.0.2.7") && certificate.isFor(host: "::FFFF:c000:207"))
        #expect(!certificate.isFor(host: "192.0.2.7"))
    }

    private func check(_ certificate: X509Certificate, _ example: Example) throws {
        for host in example.hosts { #expect(certificate.isFor(host: host), "\(host)") }
        for host in example.others { #expect(!certificate.isFor(host: host), "\(host)") }
    }
}
