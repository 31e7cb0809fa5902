import Testing
import TunnelConfiguration

/// Which proxy a tunnel is dialled through: the key, or else the environment.
@Suite struct ProxyTests {
    struct Example: CustomTestStringConvertible, Sendable {
        var key: String?
        var environment: [String: String] = [:]
        var tunnel = "wss://tunnel.example.com"
        /// `host:port`, with `user:password@` before it; nil is no proxy.
        var proxy: String?
        var testDescription: String { "\(key ?? "-") \(environment) \(tunnel)" }
    }

    private static func read(_ example: Example, isOffline: Bool = false) -> ConfigurationReport {
        let machine = PretendMachine()
        machine.environment = example.environment
        let proxy = example.key.map { "\n    proxy: \($0)" } ?? ""
        machine.write(
            """
            tunnels:
              - name: web
                tunnel: \(example.tunnel)
                server: builtin:echo
                token: a-token-of-the-tests\(proxy)
            """, to: "/c")
        return loadConfiguration(at: "/c", from: machine, options: LoadingOptions(isOffline: isOffline))
    }

    private static func text(of proxy: ProxyURL) -> String {
        let user = proxy.credentials.map { "\($0.user):\($0.password.secret)@" } ?? ""
        return "\(user)\(proxy.host):\(proxy.port)"
    }

    @Test(arguments: [
        Example(key: "http://proxy:3128", proxy: "proxy:3128"),
        Example(key: "http://proxy", proxy: "proxy:80"),
        Example(key: "http://proxy/", proxy: "proxy:80"),
        Example(key: "proxy:3128", proxy: "proxy:3128"),
        Example(key: "proxy", proxy: "proxy:80"),
        Example(key: "HTTP://u:p%40%3a@proxy:1", proxy: "u:p@:@proxy:1"),
        Example(key: "u:p@[2001:db8::1]:8080", proxy: "u:p@2001:db8::1:8080"),
        Example(key: "u@proxy", proxy: "u:@proxy:80"),
        Example(key: "none", environment: ["HTTPS_PROXY": "http://env"]),
        Example(key: "\"\"", environment: ["HTTPS_PROXY": "http://env"], proxy: "env:80"),
        Example(key: "\"${ANY_PROXY:-}\"", environment: ["HTTPS_PROXY": "http://env"], proxy: "env:80"),
        Example(key: "key", environment: ["HTTPS_PROXY": "http://env", "NO_PROXY": "*"], proxy: "key:80"),
        Example(),
        Example(environment: ["HTTPS_PROXY": "http://a", "https_proxy": "http://b"], proxy: "a:80"),
        Example(environment: ["https_proxy": "http://b", "HTTP_PROXY": "http://c"], proxy: "b:80"),
        Example(environment: ["HTTP_PROXY": "http://c", "http_proxy": "http://d"], proxy: "c:80"),
        Example(environment: ["http_proxy": "d:3128"], proxy: "d:3128"),
        Example(environment: ["HTTPS_PROXY": "", "http_proxy": "d"], proxy: "d:80"),
        Example(environment: ["https_proxy": "b"], tunnel: "ws://tunnel.example.com", proxy: "b:80"),
        Example(environment: ["https_proxy": "b"], tunnel: "ws://localhost:8080", proxy: "b:80"),
        Example(environment: ["https_proxy": "b"], tunnel: "ws://127.0.0.1", proxy: "b:80"),
        Example(key: "b", tunnel: "ws://127.0.0.1", proxy: "b:80"),
        Example(environment: ["https_proxy": "b", "no_proxy": "tunnel.example.com"]),
        Example(environment: ["https_proxy": "b", "NO_PROXY": "", "no_proxy": "*"]),
        Example(environment: ["https_proxy": "b", "NO_PROXY": "x", "no_proxy": "*"], proxy: "b:80"),
    ]) func theProxyIs(_ example: Example) throws {
        let report = Self.read(example)
        #expect(report.problems.map(\.description) == [])
        let tunnel = try #require(report.configuration?.tunnels.first)
        #expect(tunnel.proxy.map(Self.text) == example.proxy)
        #expect(tunnel.proxy?.isSecure != true)
    }

    @Test func aVariableThatPromisesMoreIsTakenForWhatItCanBe() throws {
        let report = Self.read(Example(environment: ["https_proxy": "HTTPS://u:hunter2@b:3128"]))
        #expect(
            report.problems.map(\.description) == [
                "/c:2:5: warning: tunnels[web].proxy: https_proxy in the environment: https:// is taken for http://, "
                    + "wstunnel speaks plain HTTP to proxies — set proxy to say so, or none"
            ])
        #expect(report.configuration?.tunnels.first?.proxy.map(Self.text) == "u:hunter2@b:3128")
    }

    struct Exception: CustomTestStringConvertible, Sendable {
        let list: String
        let tunnel: String
        let isDirect: Bool
        var testDescription: String { "\(list) \(tunnel)" }
    }

    @Test(arguments: [
        Exception(list: "*", tunnel: "wss://a.example.com", isDirect: true),
        Exception(list: "example.com", tunnel: "wss://example.com", isDirect: true),
        Exception(list: "example.com", tunnel: "wss://a.example.com", isDirect: true),
        Exception(list: "EXAMPLE.com", tunnel: "wss://a.Example.COM", isDirect: true),
        Exception(list: "example.com", tunnel: "wss://badexample.com", isDirect: false),
        Exception(list: "example.com", tunnel: "wss://example.com.evil.org", isDirect: false),
        Exception(list: ".example.com", tunnel: "wss://a.example.com", isDirect: true),
        Exception(list: ".example.com", tunnel: "wss://example.com", isDirect: false),
        Exception(list: "*.example.com", tunnel: "wss://a.b.example.com", isDirect: true),
        Exception(list: "*.example.com", tunnel: "wss://example.com", isDirect: false),
        Exception(list: "x, example.com ,y", tunnel: "wss://a.example.com", isDirect: true),
        Exception(list: "x example.com", tunnel: "wss://a.example.com", isDirect: true),
        Exception(list: "example.com:443", tunnel: "wss://example.com", isDirect: true),
        Exception(list: "example.com:443", tunnel: "ws://example.com", isDirect: false),
        Exception(list: "example.com:x", tunnel: "wss://example.com", isDirect: false),
        Exception(list: "192.0.2.1", tunnel: "wss://192.0.2.1", isDirect: true),
        Exception(list: "192.0.2.1:8080", tunnel: "ws://192.0.2.1:8080", isDirect: true),
        Exception(list: "192.0.2.1:8080", tunnel: "ws://192.0.2.1", isDirect: false),
        Exception(list: "192.0.2.0/24", tunnel: "wss://192.0.2.77", isDirect: true),
        Exception(list: "192.0.2.0/24", tunnel: "wss://192.0.3.77", isDirect: false),
        Exception(list: "192.0.2.0/24", tunnel: "wss://a.example.com", isDirect: false),
        Exception(list: "2001:db8::1", tunnel: "wss://[2001:DB8:0::1]", isDirect: true),
        Exception(list: "[2001:db8::1]:443", tunnel: "wss://[2001:db8::1]", isDirect: true),
        Exception(list: "[2001:db8::1]:80", tunnel: "wss://[2001:db8::1]", isDirect: false),
        Exception(list: "2001:db8::/32", tunnel: "wss://[2001:db8:ffff::1]", isDirect: true),
        Exception(list: "2.1", tunnel: "wss://192.0.2.1", isDirect: false),
        Exception(list: ",,", tunnel: "wss://a.example.com", isDirect: false),
    ]) func exceptionsAreDialledDirectly(_ example: Exception) throws {
        let report = Self.read(
            Example(
                environment: ["HTTPS_PROXY": "http://b", "NO_PROXY": example.list],
                tunnel: "\"\(example.tunnel)\""))
        let tunnel = try #require(report.configuration?.tunnels.first)
        #expect((tunnel.proxy == nil) == example.isDirect)
    }

    @Test(arguments: [
        ("https://u:hunter2@proxy", "is not supported"), ("socks5://proxy", "is not supported"),
        ("http://proxy/path", "has a path or query"), ("http://proxy:0", "has an invalid port"),
        ("http://u:hunter2@", "has no host"), ("proxy:hunter2", "has an invalid port"),
        ("http://:hunter2@proxy", "there is no user"), ("http://u:hunter2%@proxy", "broken % escape"),
    ]) func aBadProxyIsAnErrorWithoutItsPassword(_ proxy: String, _ words: String) {
        // https:// is an error only where it was written for us.
        let environment = Example(environment: ["https_proxy": proxy])
        for example in [Example(key: proxy)] + (proxy.hasPrefix("https") ? [] : [environment]) {
            let report = Self.read(example)
            #expect(report.configuration == nil)
            #expect(report.problems.map(\.path) == ["tunnels[web].proxy"])
            #expect(report.problems.first?.message.contains(words) == true, "\(report.problems)")
            let text = ProblemRendering.text(of: report, hasExcerpts: true)
            #expect(!text.contains("hunter2"), "\(text)")
            #expect(text.contains("https_proxy in the environment") == (example.key == nil))
        }
    }

    @Test func offlineTheEnvironmentIsNotLookedAt() {
        let report = Self.read(Example(environment: ["https_proxy": "ftp://bad"]), isOffline: true)
        #expect(report.problems.isEmpty)
    }

    @Test func aProxyPasswordInAWorldReadableFileIsWarnedAbout() {
        let machine = PretendMachine()
        machine.environment = ["T": "a-token-of-the-tests"]
        machine.write(
            """
            tunnels: [{ name: web, tunnel: "ws://h", server: builtin:echo, token: "${T}", proxy: "u:p@proxy" }]
            """, to: "/c", isWorldReadable: true)
        let report = loadConfiguration(at: "/c", from: machine)
        #expect(report.problems.map(\.path) == ["tunnels[web].proxy"])
        #expect(report.isValid)
    }
}
