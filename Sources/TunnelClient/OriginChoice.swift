package import HTTPMessage
package import OriginHTTP
package import TunnelConfiguration

/// Which origin a request goes to: the tunnel's own, or the one that `X-Host` asks for.
package enum OriginChoice: Equatable, Sendable {
    /// The configured origin.
    case configured
    /// The origin at this address, whose text matched `regexp`.
    case named(OriginAddress)
    /// Neither; 403 with these words.
    case refused(String)
}

/// The rules of `server`, `regexp` and `X-Host`, without I/O.
package struct OriginRules: Sendable {
    /// Longest `X-Host` value that is looked at, in bytes: scheme, host name (RFC 1035 §2.3.4) and port need less.
    package static let longestHost = 300

    private let hasOrigin: Bool
    private let pattern: HostPattern?

    package init(hasOrigin: Bool, pattern: HostPattern?) {
        self.hasOrigin = hasOrigin
        self.pattern = pattern
    }

    /// An empty `X-Host` is none. One without a scheme is what some proxies put into every request: where no origin can
    /// be named, it names none.
    package func choose(_ fields: HeaderFields) -> OriginChoice {
        guard fields.contains(.xHost) else { return ownOrigin }
        let hosts = fields.values(.xHost).filter { !$0.isEmpty }
        guard let host = hosts.first else { return ownOrigin }
        guard let pattern else {
            guard hosts.contains(where: { $0.contains("://") }) else { return ownOrigin }
            return .refused("X-Host header disallowed by wstunnel cli (no -regexp option)")
        }
        guard hosts.count == 1 else { return .refused("X-Host header stands there more than once: send one") }
        guard host.utf8.count <= Self.longestHost else {
            return .refused("X-Host header is longer than any origin: \(Self.longestHost) bytes at most")
        }
        do throws(OriginURLError) {
            let address = try OriginAddress(host)
            guard Self.isAllowed(address, writtenAs: host, by: pattern) else {
                return .refused("X-Host header '\(Self.shown(host))' does not match regexp in wstunnel cli")
            }
            return .named(address)
        } catch {
            return .refused("X-Host header '\(Self.shown(host))' names no origin: \(error)")
        }
    }

    private static func shown(_ host: String) -> String { host.filter { !$0.isNewline } }

    private var ownOrigin: OriginChoice {
        hasOrigin ? .configured : .refused("X-Host header required by wstunnel cli (no -server option)")
    }

    /// What is compared is made of the address that will be dialled: the value itself could hold one host for the
    /// expression and another for us. Its port is there if the caller wrote one.
    private static func isAllowed(
        _ address: OriginAddress, writtenAs host: String, by pattern: HostPattern
    ) -> Bool {
        let written = host.hasSuffix("/") ? host.dropLast() : host[...]
        let hasPort = written.hasSuffix(":\(address.port)")
        let text = hasPort ? "\(address.scheme)://\(address.place)" : "\(address)"
        return pattern.allows(text)
    }
}
