import Testing

@testable import TransportSecurity

@Suite struct CertificateNamesTests {
    private let names = CertificateNames([
        ["default.example"], ["*.example.com", "example.com"], ["a.example.com"], ["*.b.example.com"],
    ])

    @Test(arguments: [
        ("default.example", 0), ("example.com", 1), ("x.example.com", 1), ("A.Example.COM", 2),
        ("x.b.example.com", 3), ("b.example.com", 1),
    ])
    func theExactNameComesBeforeTheStar(name: String, place: Int) {
        #expect(names.place(of: name) == place)
    }

    @Test(arguments: ["x.y.example.com", "com", "", ".example.com", "other.example"])
    func anotherNameHasNone(name: String) {
        #expect(names.place(of: name) == nil)
    }
}
