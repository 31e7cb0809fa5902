import HTTPMessage

/// What a request to the admin API asks for.
enum AdminRoute: Equatable {
    /// - Parameter tunnel: the name that `?tunnel=NAME` asks for.
    case status(tunnel: String?)
    case plan, reload, handOver, bans
    /// Its body holds the query.
    case explain
    /// - Parameter address: that `?address=ADDRESS` names; nil for all.
    case unban(address: String?)
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
        let query = parts.dropFirst().first
        let tunnel = query.flatMap { Self.value(of: "tunnel", in: $0) }
        let address = query.flatMap { Self.value(of: "address", in: $0) }
        let routes: [String: (method: String, route: AdminRoute)] = [
            "/api/status": ("GET", .status(tunnel: tunnel)), "/api/plan": ("GET", .plan),
            "/api/reload": ("POST", .reload), "/api/handover": ("POST", .handOver),
            "/api/bans": ("GET", .bans), "/api/explain": ("POST", .explain),
            "/api/unban": ("POST", .unban(address: address == "all" ? nil : address)),
        ]
        guard let (method, route) = routes[path], route != .handOver || isLocal else {
            self = .refused(
                status: 404,
                words:
                    "there is GET /api/status, /api/plan and /api/bans, POST /api/reload, /api/unban and /api/explain"
            )
            return
        }
        self = head.method == method ? route : .wrongMethod(allowed: method)
        if case .unban = self, address == nil || address == "" {
            self = .refused(status: 400, words: "name the address: ?address=192.0.2.7, or ?address=all")
        }
    }

    /// Neither names of tunnels nor addresses need escapes.
    private static func value(of key: String, in query: Substring) -> String? {
        query.split(separator: "&").first { $0.hasPrefix("\(key)=") }
            .map { String($0.dropFirst(key.count + 1)) }
    }
}
