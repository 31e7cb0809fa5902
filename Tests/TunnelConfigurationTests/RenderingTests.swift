import Testing
import TunnelConfiguration
import TunnelProtocol

/// `show`: the effective configuration as a text that loads to it.
@Suite struct RenderingTests {
    /// Every key has a value that is not its default; `protocol`, which excludes others, in an entry of its own.
    private static let full = """
        version: 1
        log: { level: debug, format: json, file: "/var/log/a \\"b\\" ${V}", syslog: local0 }
        pidfile: /run/a.pid
        usage-file: /run/usage.json
        shutdown-grace: 1h30m
        control-socket: /run/a.sock
        watch: true
        admin: { listen: "[::1]:0", token: admin-token-of-the-tests }
        history: { file: /run/history.db, keep: 2d, max-size: 1GiB }
        load-shedding: { enforce: false, memory: 512MiB, descriptors: 4096, loop-delay: 250ms }
        webhooks:
          - { name: pager, url: "https://hook-user:hook-word@h.example:8443/path-of-webhook?y", secret: secret-of-webhook-1, events: [banned, error], timeout: 1s, max-tries: 3, max-age: 5m, certfile: /ca.pem, server-name: other.example, pin-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= }
          - { name: plain, url: "http://127.0.0.1:8025", secret: secret-of-webhook-2, insecure: true }
        tracing: { collector: "https://otel.example/x", headers: [{ name: X-Key, value: tracing-key-of-tests }], service-name: edge, sample: 0.25, callers-may-sample: false, max-spans-per-second: 40, certfile: /ca.pem, server-name: a.example }
        servers:
          - name: first
            host: "::"
            port: 8080
            reuse-port: true
            tls:
              certfile: /ca.pem
              keyfile: /key.pem
              keyfile-password: password-of-key-1
              certificates:
                - { hosts: ["*.example.com", web.example.com], certfile: /ca.pem, keyfile: /key.pem }
              client-ca: /ca.pem
              client-certificates: optional
              tunnel-certificates: optional
              client-certificate-header: true
              minimum-version: "1.3"
              redirect-http: 81
              acme-challenges: /run
            inner-tls: { certfile: /ca.pem, keyfile: /key.pem, keyfile-password: password-of-key-3 }
            longpoll: false
            base-path: /x
            wstimeout: 3s
            httptimeout: 1m1s
            queue-timeout: 0
            max-requests-per-tunnel: 7
            max-requests-per-session: 30
            max-clients-per-token: 3
            max-sessions-per-token: 5
            max-sessions-per-address: 6
            passwords:
              - { token: token-number-2-of-tests, passwords: [password-a, password-b], limits: {} }
              - { token: token-number-1-of-tests, password: password-c, host-claims: { allow: [vip], per-token: 2 }, limits: { requests: 7, bytes-per-month: 3GiB }, callers: { anonymous: true, maintenance: false, client-certificates: none } }
              - { token: token-number-12-of-tests, client-name: x, callers: {} }
              - { token: token-number-8-of-tests, client-name: [edge-*, a] }
            only-listed-tokens: true
            hosts:
              - { host: www.example.com, token: token-number-3-of-tests }
              - { host: a.example.com, token: token-number-4-of-tests, callers: { methods: [GET], anonymous: true }, limits: { requests: 3 } }
            host-claims: { domain: t.example, allow: ["*", "shop-*.example"], reserved: [www], per-token: 3 }
            public-url: https://t.example:8443
            trusted-proxies: [10.0.0.0/8, "::1"]
            proxy-protocol: required
            forwarding: x-forwarded
            ports:
              - { port: 22, host: 127.0.0.1, token: token-number-9-of-tests, allow-from: [10.0.0.0/8, "::1"], idle-timeout: 5m }
              - { port: 22, host: "::1", token: token-number-10-of-tests, idle-timeout: 0 }
              - { port: 0, token: token-number-11-of-tests }
            callers:
              allow-from: [192.0.2.0/24, "2001:db8::/32"]
              allow-from-file: /allowed
              deny-from: [192.0.2.66]
              users: ['alice:HASH']
              bearer: [bearer-1-of-the-tests]
              client-certificates: required
              client-name: ["phone-*", a]
              methods: [POST, GET]
              max-body: 10MiB
              headers:
                request:
                  set: { X-User: "{user} {{", "X-Api-Key": "key-of-the-origin" }
                  add: { X-Tag: "a {{b}} {scheme}" }
                  remove: [X-B, X-A]
                response: { set: { Server: none }, remove: Via-Us }
              request-id: true
              maintenance: { status: 500, file: /page.html, retry-after: 90 }
            limits:
              enforce: false
              per-address: { connections: 9, requests: 8, bytes-per-second: 1100, bytes-burst: 3KiB }
              per-name: { requests-per-second: 4 }
              per-token: { requests-per-second: 5, requests-burst: 6 }
              head-timeout: 7s
              body-rate: 1KiB
              body-timeout: 9s
            ban: { enabled: false, after: 3, within: 4s, for: 5s, longest: 6s, never: ["2001:db8::/32"] }
          - name: second
            port: 0
          - { name: third, enabled: false }
        tunnels:
          - name: all
            tunnel: wss://us%20er:pass-of-url@[2001:db8::1]:8443/base
            server: ["https://localhost:8443/path", "unix:/run/a b.sock"]
            balance: round-robin
            health: { path: /up, every: 3s, timeout: 500ms, fall: 2, rise: 1, status: 200 }
            regexp: 'https://[a-z]+\\.x\\$'
            host-header: keep
            redirects: rewrite
            http: 2
            hidden-files: true
            hosts: [app, random, a.example.com]
            proxy-protocol: v2
            token: token-number-5-of-tests
            password: password-d
            connections: 5
            transport: longpoll
            websocket-retry: 1h
            timeout: 250s
            insecure: true
            certfile: /ca.pem
            pin-sha256: ["n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="]
            server-name: a.example
            client-certificate: /ca.pem
            client-key: /key.pem
            client-key-password: password-of-key-2
            inner-tls: { certfile: /ca.pem, pin-sha256: "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", server-name: c.example }
            origin-tls:
              - { host: "*.a.example", insecure: true, server-name: b.example }
              - { certfile: /ca.pem, pin-sha256: "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=" }
            proxy: http://u:pass-of-proxy@proxy
            client-ports: [8000..8100, 9]
            statusfile: /run/s
            reconnect-delay: 5
            max-retries: 9
            required: true
          - { name: few, tunnel: "ws://h:443", server: "file:///srv/a%20b%25", protocol: v1, token: token-number-6-of-tests, proxy: none }
          - { name: socket, tunnel: "ws://h", server: "unix:/run/a b.sock", token: token-number-13-of-tests, proxy: none }
          - { name: userOnly, tunnel: "ws://u@h", regexp: x, server: "h2c://h:81/p", token: token-number-7-of-tests, proxy: none }
        """

    private static let hash = "$2y$10$abcdefghijklmnopqrstuugZw0e/b5r1sdG/3LSl4QiQiC2VrNNoC"

    /// In the order in which the text has them.
    private static let secrets = [
        "admin-token-of-the-tests", "tracing-key-of-tests", "hook-user:hook-word", "path-of-webhook?y",
        "secret-of-webhook-1", "secret-of-webhook-2", "password-of-key-1", "password-of-key-3",
        "token-number-1-of-tests",
        "password-c", "token-number-12-of-tests", "token-number-2-of-tests", "password-a", "password-b",
        "token-number-8-of-tests", "token-number-4-of-tests", "token-number-3-of-tests",
        "alice:\(hash)", "bearer-1-of-the-tests", "key-of-the-origin",
        "token-number-9-of-tests", "token-number-10-of-tests", "token-number-11-of-tests",
        "pass-of-url",
        "token-number-5-of-tests", "password-d", "password-of-key-2", "pass-of-proxy",
        "token-number-6-of-tests", "token-number-13-of-tests",
        "token-number-7-of-tests",
    ]

    private static func machine(_ text: String) -> PretendMachine {
        let machine = PretendMachine()
        machine.environment = ["V": "v${W}"]
        for folder in ["/run", "/var/log", "/srv/a b%"] { machine.entries[folder] = .folder }
        machine.write(PretendMachine.certificate, to: "/ca.pem")
        machine.write(PretendMachine.key, to: "/key.pem")
        machine.write("# a\n198.51.100.1\n", to: "/allowed")
        machine.write("<p>", to: "/page.html")
        machine.write(text.replacing("HASH", with: hash), to: "/c")
        return machine
    }

    private static func load(_ text: String) -> ConfigurationReport {
        loadConfiguration(at: "/c", from: machine(text))
    }

    @Test func withItsSecretsTheTextLoadsToTheSame() throws {
        let report = Self.load(Self.full)
        let configuration = try #require(report.configuration, "\(report.problems)")
        var text = ConfigurationRendering.yaml(of: configuration)
        for secret in Self.secrets {
            #expect(!text.contains(secret))
            let place = try #require(text.firstRange(of: "***"))
            text.replaceSubrange(place, with: secret)
        }
        #expect(!text.contains("***"))
        let again = Self.load(text)
        #expect(again.configuration == configuration, "\(text)\n\(again.problems)")
    }

    @Test func loadSheddingThatIsOffIsThatOfItsParts() throws {
        let off = try #require(Self.load("load-shedding: off\nservers: [{ name: a }]").configuration)
        #expect(off.loadShedding == .off && !off.loadShedding.isOn)
        let text = ConfigurationRendering.yaml(of: off)
        #expect(text.contains("memory: off\n  descriptors: off\n  loop-delay: off"))
        #expect(Self.load(text).configuration == off)
        let on = try #require(Self.load("load-shedding: on\nservers: [{ name: a }]").configuration)
        #expect(on.loadShedding == LoadShedding())
    }

    @Test func everyKeyStandsThereInTheOrderOfTheTables() throws {
        let configuration = try #require(Self.load(Self.full).configuration)
        let lines = ConfigurationRendering.yaml(of: configuration).split(separator: "\n")
        func keys(from start: Int, indentation: Int) -> [String] {
            lines[start...].prefix { line in
                line.prefix { $0 == " " }.count >= indentation || line.hasPrefix("  - ")
            }
            .compactMap { line in
                let content = line.drop { " -".contains($0) }
                guard line.count - content.count == indentation else { return nil }
                return content.split(separator: ":").first.map(String.init)
            }
        }
        func expected(_ section: ConfigurationSection, without others: Set<String>) -> [String] {
            section.keys.map(\.name).filter { !others.contains($0) }
        }
        #expect(keys(from: 0, indentation: 0) == expected(.root, without: ["include", "defaults"]))
        func entry(named name: String) throws -> [String] {
            let start = try #require(lines.firstIndex { $0.hasSuffix("name: \(name)") })
            let found = keys(from: start, indentation: 4)
            return ["name"] + found.dropFirst().prefix { $0 != "name" }
        }
        #expect(try entry(named: "first") == expected(.server, without: ["passwords-file"]))
        let twins: Set = [
            "token-file", "token-command", "password-file", "password-command", "client-key-password-file",
            "client-key-password-command",
        ]
        #expect(try entry(named: "all") == expected(.tunnel, without: twins))
    }

    @Test func theTextReadsAsOneWouldWriteIt() {
        let configuration = AgentConfiguration(
            servers: [ServerConfiguration(name: "a", port: 8080)])
        #expect(
            ConfigurationRendering.yaml(of: configuration) == """
                version: 1
                log:
                  level: info
                  format: auto
                  file: "-"
                shutdown-grace: 30s
                watch: false
                load-shedding:
                  enforce: true
                  memory: auto
                  descriptors: auto
                  loop-delay: off
                servers:
                  - name: a
                    enabled: true
                    host: "0.0.0.0"
                    port: 8080
                    reuse-port: false
                    longpoll: true
                    base-path: ""
                    wstimeout: 30s
                    httptimeout: 20m
                    queue-timeout: 30s
                    max-requests-per-tunnel: 20
                    max-requests-per-session: 1000
                    max-clients-per-token: 0
                    max-sessions-per-token: 1024
                    max-sessions-per-address: 10000
                    passwords: []
                    only-listed-tokens: false
                    hosts: []
                    trusted-proxies: []
                    forwarding: all
                    limits:
                      enforce: true
                      head-timeout: 10s
                    ban:
                      enabled: true
                      after: 100
                      within: 10m
                      for: 10m
                      longest: 24h
                      never: ["127.0.0.0/8", "0:0:0:0:0:0:0:1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00:0:0:0:0:0:0:0/7", "fe80:0:0:0:0:0:0:0/10"]
                tunnels: []

                """)
    }
}
