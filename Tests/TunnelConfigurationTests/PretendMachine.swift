import TunnelConfiguration

/// A machine for tests: its files, environment and commands are dictionaries, and it notes what was asked.
final class PretendMachine: ConfigurationSource {
    enum Entry {
        case file([UInt8], isWorldReadable: Bool)
        case folder
        case locked
    }

    /// With the certificates of authorities that nearly every machine has.
    var entries: [String: Entry] = [
        "/etc/ssl/certs/ca-certificates.crt": .file([], isWorldReadable: true)
    ]
    var environment: [String: String] = [:]
    var commands: [[String]: Result<String, ConfigurationSourceError>] = [:]
    /// Everything that was asked, such as `file /etc/x`.
    private(set) var questions: [String] = []

    func write(_ text: String, to path: String, isWorldReadable: Bool = false) {
        entries[path] = .file(Array(text.utf8), isWorldReadable: isWorldReadable)
    }

    func readFile(at path: String, sizeLimit: Int) throws(ConfigurationSourceError) -> ConfigurationFile {
        questions.append("file \(path)")
        switch entries[Self.plain(path)] {
        case .file(let bytes, let isWorldReadable):
            guard bytes.count <= sizeLimit else { throw .tooLarge(limit: sizeLimit) }
            return ConfigurationFile(bytes: bytes, isWorldReadable: isWorldReadable)
        case .folder: throw .isNoRegularFile
        case .locked: throw .notPermitted
        case nil: throw .notFound
        }
    }

    func kind(ofPath path: String) -> PathKind {
        questions.append("kind \(path)")
        switch entries[Self.plain(path)] {
        case .file, .locked: return .file
        case .folder: return .folder
        case nil: return Self.names(in: Self.plain(path), entries) == nil ? .missing : .folder
        }
    }

    func listFolder(at path: String) throws(ConfigurationSourceError) -> [String] {
        questions.append("folder \(path)")
        if let names = Self.names(in: Self.plain(path), entries) { return names }
        switch entries[Self.plain(path)] {
        case .folder: return []
        case .locked: throw .notPermitted
        case .file: throw .notFound
        case nil: throw .notFound
        }
    }

    func identity(ofFile path: String) -> String { Self.plain(path) }

    /// A path without `..`: there are no links here.
    private static func plain(_ path: String) -> String {
        guard path.contains("..") else { return path }
        var parts: [Substring] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            if part == "..", !parts.isEmpty { parts.removeLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// Folders are there when something is in them. In no order, as on a real machine.
    private static func names(in folder: String, _ entries: [String: Entry]) -> [String]? {
        let start = folder == "." ? "" : folder.hasSuffix("/") ? folder : folder + "/"
        let inside = entries.keys.filter { $0.hasPrefix(start) && $0 != start }
        let names = Set(inside.compactMap { $0.dropFirst(start.count).split(separator: "/").first })
        return names.isEmpty ? nil : names.map(String.init)
    }

    /// 2026-12-15.
    var now = 1_797_292_800
    /// Of every key pair.
    var keyPairFault: KeyPairFault?

    func fault(of pair: KeyPair) -> KeyPairFault? {
        questions.append("pair \(pair.keyPath)")
        return keyPairFault
    }

    func environmentVariable(_ name: String) -> String? {
        questions.append("variable \(name)")
        return environment[name]
    }

    func firstLine(
        ofCommand command: [String], timeLimit: Duration, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> [UInt8] {
        questions.append("command \(command.joined(separator: " "))")
        guard let result = commands[command] else { throw .notFound }
        return Array(try result.get().utf8)
    }
}

extension PretendMachine {
    /// The world that the fixtures are written for; the configuration lies in `conf/`.
    static func forFixtures() -> PretendMachine {
        let machine = PretendMachine()
        machine.environment = [
            "WEB_TOKEN": "web-token-from-the-environment", "NEW": "new-password", "WORD": "word",
        ]
        machine.write("web-token-from-a-file\n", to: "conf/web.token")
        machine.write("web-password\r\nsecond line\n", to: "conf/web.password")
        machine.write("token-that-all-can-read", to: "conf/world-readable.token", isWorldReadable: true)
        machine.write("\nsecond line\n", to: "conf/empty")
        machine.write("# one comment\n\n   \n", to: "conf/no-entries")
        machine.write("", to: "conf/empty-file")
        machine.write("token-of-a-spaced-file \n", to: "conf/spaced.token")
        machine.write(
            "token-of-a-file-0001: hunter2\ntoken-of-a-file-0002:hunter2\t\n token-of-a-file-0003:x\n",
            to: "conf/spaced-passwords.txt")
        machine.write("# offices\n192.0.2.0/24\n", to: "conf/addresses")
        machine.write("secret-token-of-callers\n", to: "conf/bearers")
        machine.entries["conf/binary"] = .file([0xff, 0xfe, 0x0a], isWorldReadable: false)
        machine.entries["conf/secrets/locked"] = .locked
        machine.write(
            "# comment\n\nfirst-token-of-file:one\nfirst-token-of-file:two\nother-token-of-file:a:b\n",
            to: "conf/passwords.txt")
        machine.write(
            "short:hunter2\nno colon hunter2\ntoken-of-a-bad-line:\n:x\n", to: "conf/bad-passwords.txt")
        machine.write(certificate, to: "conf/ca.pem")
        machine.write(key, to: "conf/key.pem")
        machine.write("hello\n", to: "/etc/motd")
        machine.entries["/etc"] = .folder
        machine.commands[["prints", "token"]] = .success("token-from-a-command")
        machine.commands[["conf/bin/prints-password"]] = .success("password-from-a-command")
        machine.commands[["conf/included/good/../bin/prints-password"]] = .success("password-of-an-included")
        machine.commands[["conf/bin/fails", "my-secret-argument"]] = .failure(.failed(status: 3))
        machine.commands[["hangs"]] = .failure(.timedOut(limit: .seconds(10)))
        return machine
    }
}

extension PretendMachine {
    /// For web.example.com and *.example.com, for 100 years from November 2026 on.
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBtTCCAVygAwIBAgIUYJVsg8+iTcR1QgbSJDDomkUAm4YwCgYIKoZIzj0EAwIw
        GjEYMBYGA1UEAwwPd2ViLmV4YW1wbGUuY29tMCAXDTI2MTEyOTIzNDg0NVoYDzIx
        MjYxMTA1MjM0ODQ1WjAaMRgwFgYDVQQDDA93ZWIuZXhhbXBsZS5jb20wWTATBgcq
        hkjOPQIBBggqhkjOPQMBBwNCAARBhLvNOrZ+p7Ko8UsncZv7J4K+FZKUhAYoK+89
        HRm1FG8MCzaaLAylwFMKAZasVadV+d/Fu7AMI6H04RKMuNTzo34wfDAdBgNVHQ4E
        FgQUvkY9yW5Vh0nzfh73yH7r/+pA6bkwHwYDVR0jBBgwFoAUvkY9yW5Vh0nzfh73
        yH7r/+pA6bkwDwYDVR0TAQH/BAUwAwEB/zApBgNVHREEIjAggg93ZWIuZXhhbXBs
        ZS5jb22CDSouZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDRwAwRAIgDzKk1MYYDjti
        FZwdgy64+bKhEFKlATbs8KdmFtnfVhMCIGRZsqoUQmnGztn/VYCzejJgp6fBiQy2
        IoXUscOd9T6H
        -----END CERTIFICATE-----

        """

    /// Of no certificate.
    static let key = """
        -----BEGIN PRIVATE KEY-----
        AAAA
        -----END PRIVATE KEY-----

        """
}
