/// Why a caller's request goes nowhere.
package enum RouteError: Error, Hashable, Sendable {
    /// CONNECT, which no tunnel carries.
    case connectUnsupported
    /// The target is no path.
    case notOriginForm
    case outsideBasePath
    /// A tunnel client knocks, but not at the path for that.
    case notTheTunnelPath
    case missingToken
    case repeatedToken
    case missingTokenInPath
    case malformedTokenInPath
    /// Behind the token in the path no slash comes: asked for at `location`, the target is relative to it.
    case missingSlash(location: String)
    /// What names the token can be none.
    case tunnelNotFound
    /// Origins understand the path differently, and it leads elsewhere with each of them.
    case ambiguousPath
    /// It does not say at which host it was meant to arrive.
    case noHost
}
