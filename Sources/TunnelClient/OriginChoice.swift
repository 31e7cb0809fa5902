package import HTTPMessage
package import TunnelConfiguration

/// Which origin a request goes to: the tunnel's own, or the one that `X-Host` asks for.
package enum OriginChoice: Equatable, Sendable {
    /// The configured origin.
    case configured
    /// The origin of this `X-Host` value, which matched `regexp`.
    case named(String)
    /// Neither; 403 with these words.
    case refused(String)
}

/// The rules of `server`, `regexp` and `X-Host`, without I/O. Made once for each session: compiling is slow, and a
/// compiled expression cannot be shared between threads.
package struct OriginRules {
    /// Longest `X-Host` value that is looked at, in bytes.
    package static let longestHost = 2048

    private let hasOrigin: Bool
    private let hasPattern: Bool
    private let expression: Regex<AnyRegexOutput>?

    package init(hasOrigin: Bool, pattern: HostPattern?) {
        self.hasOrigin = hasOrigin
        self.hasPattern = pattern != nil
        self.expression = try? pattern?.compiled()
    }

    package func choose(_ fields: HeaderFields) -> OriginChoice {
        guard let host = fields[.xHost] else {
            return hasOrigin
                ? .configured : .refused("X-Host header required by wstunnel cli (no -server option)")
        }
        guard hasPattern else {
            return .refused("X-Host header disallowed by wstunnel cli (no -regexp option)")
        }
        guard host.utf8.count <= Self.longestHost, fields.count(of: .xHost) == 1,
            let expression, (try? expression.wholeMatch(in: host)) != nil
        else {
            let shown = host.prefix(200).filter { !$0.isNewline }
            return .refused("X-Host header '\(shown)' does not match regexp in wstunnel cli")
        }
        return .named(host)
    }
}
