import Testing

@testable import TunnelClient

/// A tunnel server does not choose what the doctor asks for.
@Suite struct GrantedPlaceTests {
    struct Example: Sendable {
        var url: String
        var claim: String
        var server = "tunnel.example.com"
        /// What is looked at; nil for nothing.
        var place: String?
    }

    @Test(arguments: [
        Example(url: "https://Shop.test/a?b", claim: "shop.test", place: "https://shop.test/"),
        Example(url: "http://shop.test:8080/", claim: "shop.test", place: "http://shop.test:8080/"),
        Example(url: "https://app.example.com/", claim: "app", place: "https://app.example.com/"),
        Example(
            url: "https://x1.tunnel.example.com/", claim: "random", place: "https://x1.tunnel.example.com/"),
        Example(
            url: "http://app.localhost:1/", claim: "app", server: "localhost",
            place: "http://app.localhost:1/"),
        Example(
            url: "http://a.localhost:1/", claim: "a.localhost", server: "127.0.0.1",
            place: "http://a.localhost:1/"),
        Example(url: "http://169.254.169.254/latest", claim: "shop.test"),
        Example(url: "http://169.254.169.254/", claim: "random"),
        Example(url: "http://169.254.169.254/", claim: "169.254.169.254"),
        Example(url: "http://[::1]/", claim: "::1"), Example(url: "http://127.1/", claim: "127.1"),
        Example(url: "http://localhost/", claim: "localhost"),
        Example(url: "http://localhost/", claim: "random"),
        Example(url: "http://a.localhost/", claim: "a.localhost"),
        Example(url: "http://2130706433/", claim: "2130706433"),
        Example(url: "https://other.test/", claim: "shop.test"),
        Example(url: "https://other.example.com/", claim: "app"),
        Example(url: "https://app.example.org/", claim: "app"),
        Example(url: "https://a.b.example.com/", claim: "random"),
        Example(url: "https://x.com/", claim: "random", server: "example.com"),
        Example(url: "http://x.0.0.1/", claim: "random", server: "10.0.0.1"),
        Example(url: "https://$(id).example.com/", claim: "random"),
        Example(url: "ftp://shop.test/", claim: "shop.test"),
        Example(url: "https://u@shop.test/", claim: "shop.test"), Example(url: "", claim: "random"),
    ])
    func onlyWhatWasAskedForIsLookedAt(example: Example) {
        let place = GrantedPlace(example.url, claim: example.claim, serverHost: example.server)
        #expect(place?.url == example.place)
    }
}
