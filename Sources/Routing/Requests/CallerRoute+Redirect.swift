import HTTPMessage
import TunnelConfiguration

extension CallerRoute {
    private static let challenges = "/.well-known/acme-challenge/"
    /// Longest name of a file that a certificate authority asks for, in characters.
    private static let longestChallenge = 128

    /// What a listener does with a request that only sends people to another one, which speaks TLS.
    init(_ head: borrowing RequestHead, redirecting listener: RedirectListener) {
        guard head.method != "CONNECT" else {
            self = .refuse(.connectUnsupported)
            return
        }
        guard head.target.utf8.first == UInt8(ascii: "/") else {
            self = .refuse(.notOriginForm)
            return
        }
        let path = head.target.prefix { $0 != "?" }
        if path == "\(listener.basePath)/_health_check" {
            self = .healthCheck
        } else if path.hasPrefix(Self.challenges), head.method == "GET" || head.method == "HEAD" {
            let name = path.dropFirst(Self.challenges.count)
            self = listener.challenges.flatMap { Self.files(name, in: $0) } ?? .refuse(.outsideBasePath)
        } else if let host = head.fields[.host].flatMap(Self.name), !host.isEmpty {
            let port = listener.port == 443 ? "" : ":\(listener.port)"
            self = .redirect(to: "https://\(host)\(port)\(head.target)")
        } else {
            self = .refuse(.noHost)
        }
    }

    /// The letters of a token (RFC 8555 §8.1), so that no name leads out of the folder: that of the files, or the root of
    /// a site with it.
    private static func files(_ name: Substring, in folder: String) -> CallerRoute? {
        guard !name.isEmpty, name.utf8.count <= longestChallenge,
            name.utf8.allSatisfy({ byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            })
        else { return nil }
        return .challenge(files: ["\(folder)/\(name)", "\(folder)\(challenges)\(name)"])
    }

    /// What stands before the port in `Host`; nil where that is no host.
    private static func name(ofHost value: String) -> String? {
        let name = host(of: value)
        let isHost = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x3a, 0x5b, 0x5d: true
            default: false
            }
        }
        return isHost ? String(name) : nil
    }
}
