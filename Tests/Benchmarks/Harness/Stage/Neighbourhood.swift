import BenchmarkReport
import Foundation
import TestSupport

/// A server and a client process with a good tunnel, and tunnels beside it that somebody else uses.
struct Neighbourhood {
    /// What is not as by default.
    struct Setting {
        /// More keys of the server's entry.
        var server = ""
        /// More keys of the good tunnel.
        var good = ""
        /// Where the good tunnel leads; nil for the files.
        var origin: String?
        /// How many tunnels of others the client has.
        var others = 0
        /// Where they lead.
        var otherOrigin = "builtin:echo"
        /// A password that the good tunnel needs. All tokens but its own are refused then.
        var password: String?
        /// Where the client's names are looked up; nil for where this machine does it.
        var resolver: SilentResolver?
    }

    static let goodToken = "good-token-of-neighbours"
    static func otherToken(_ number: Int) -> String { "other-token-\(number)-of-neighbours" }

    let bench: Bench
    let server: TunnelServer
    /// By the good tunnel.
    let way: Way
    /// How long an attack lasts at least, in seconds.
    let span: Int
    /// Silent for as long as this is there.
    private let resolver: SilentResolver?

    init(_ bench: Bench, as name: String, _ setting: Setting) throws {
        self.bench = bench
        resolver = setting.resolver
        span = bench.settings.isQuick ? 5 : 15
        var options = setting.server
        var good = setting.good
        if let password = setting.password {
            options = """
                only-listed-tokens: true,
                passwords: [{ token: \(Self.goodToken), password: \(password) }]
                """
            good = "password: \(password)"
        }
        server = try TunnelServer(bench, as: name, options: options)
        let origins = try bench.origins
        var tunnels = [
            (name: "good", token: Self.goodToken, origin: setting.origin ?? origins.url, options: good)
        ]
        for number in 0..<setting.others {
            tunnels.append(("other-\(number)", Self.otherToken(number), setting.otherOrigin, ""))
        }
        var text = "log: { file: \(name)-client.log }\ntunnels:\n"
        for tunnel in tunnels {
            text += """
                  - { name: \(tunnel.name), tunnel: "ws://127.0.0.1:\(server.port)", token: \(tunnel.token),
                      server: "\(tunnel.origin)",
                      regexp: 'http://[a-z0-9.-]+:[0-9]+'\(tunnel.options.isEmpty ? "" : ", " + tunnel.options) }

                """
        }
        let client = try bench.agent(
            at: try bench.folder.write(text, to: "\(name)-client.yaml"),
            through: setting.resolver?.launcher ?? [])
        let entrance = Self.entrance(of: Self.goodToken, at: server)
        way = Way(
            "ours",
            members: [
                Way.Member(role: "server", running: server.running),
                Way.Member(role: "client", running: client),
            ], files: entrance, sink: entrance, echo: entrance)
        try way.waitUntilOpen()
        try server.waitForTunnels(tunnels.count)
    }

    /// Where callers of one of the others go in.
    func other(_ number: Int = 0) -> Way.Entrance { Self.entrance(of: Self.otherToken(number), at: server) }

    static func entrance(of token: String, at server: TunnelServer) -> Way.Entrance {
        Way.Entrance(port: server.port, fields: [(name: "X-Token", value: token)])
    }

    /// A figure of the attack itself, so that one which was none is seen.
    func record(_ value: Double, _ what: String, _ unit: String = "") {
        bench.record(value, what, unit, side: "ours")
    }
}

/// A name server that never answers, for one program in a mount namespace with an `/etc/resolv.conf` of its own.
final class SilentResolver: Sendable {
    /// An address of this machine that nobody else uses: the port, 53, is not to choose.
    private static let address: (text: String, number: in_addr_t) = ("127.53.0.1", 0x7f35_0001)
    private let descriptor: Int32
    private let file: String

    /// - Throws: `TestFailure` where the port may not be had: not as root, or in use.
    init(in folder: TemporaryFolder) throws {
        file = try folder.write("nameserver \(Self.address.text)\n", to: "resolv.conf", mode: 0o644)
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(53).bigEndian
        address.sin_addr.s_addr = Self.address.number.bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw TestFailure("bind to \(Self.address.text):53: errno \(code)")
        }
    }

    deinit { close(descriptor) }

    /// Starts the program that stands behind it, and becomes it.
    var launcher: [String] {
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""
        return ["unshare", "--mount", "sh", "-c", script, file]
    }
}
