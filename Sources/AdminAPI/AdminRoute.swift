import HTTPMessage

/// What a request to the admin API asks for.
enum AdminRoute: Equatable {
    /// - Parameter tunnel: the name that `?tunnel=NAME` asks for.
    case status(tunnel: String?)
    case plan, reload, handOver
    /// Answered as it stands.
    case refused(status: Int, words: String)
    /// Asked with another method than the one that it takes.
    case wrongMethod(allowed: String)

    /// - Parameters:
    ///   - isAuthorized: whether the request brought the token, or came over the control socket.
    ///   - isLocal: whether it came over the control socket, where alone the agent can be handed over.
    init(_ head: RequestHead, isAuthorized: Bool, isLocal: Bool) {
        guard isAuthorized else {
            self = .refused(
                status: 401, words: "the token is missing or wrong: Authorization: Bearer TOKEN")
            return
        }
        let parts = head.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first.map(String.init) ?? ""
        let tunnel = parts.dropFirst().first.flatMap(Self.tunnel)
        let routes: [String: (method: String, route: AdminRoute)] = [
            "/api/status": ("GET", .status(tunnel: tunnel)), "/api/plan": ("GET", .plan),
            "/api/reload": ("POST", .reload), "/api/handover": ("POST", .handOver),
        ]
        guard let (method, route) = routes[path], route != .handOver || isLocal else {
            self = .refused(
                status: 404, words: "there is GET /api/status, GET /api/plan and POST /api/reload")
            return
        }
        self = head.method == method ? route : .wrongMethod(allowed: method)
    }
    /// Names of tunnels need no escapes.
    private static func tunnel(in query: Substring) -> String? {
        let key = "tunnel="
        return query.split(separator: "&").first { $0.hasPrefix(key) }.map { String($0.dropFirst(key.count)) }
    }
}
