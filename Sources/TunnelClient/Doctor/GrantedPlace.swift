import AgentStatus

/// Where callers reach a tunnel by a name that its server has granted. The server writes the URL: it is a place to look at
/// only where it is the one that was asked for, or else a server could have any machine looked at from this one.
package struct GrantedPlace: Sendable, Hashable {
    package let isSecure: Bool
    /// In lower case; an IPv6 address without brackets.
    package let host: String
    package let port: Int

    /// - Parameters:
    ///   - url: as the server has it. Its path and query are not used.
    ///   - claim: the name that the tunnel asked for, whole, a label, or `random`.
    ///   - serverHost: where the tunnel server is dialled.
    /// - Returns: nil where the URL is none, or leads elsewhere: not to the name, or for a label or `random` not right below
    ///   the server's own name or the domain of that; or to this machine or an address where the server is not.
    package init?(_ url: String, claim: String, serverHost: String) {
        guard let query = try? ExplanationQuery(method: "GET", url: url, fields: [], from: "127.0.0.1") else {
            return nil
        }
        (isSecure, host, port) = (query.isSecure, query.host, query.port)
        let claim = claim.lowercased()
        let server = serverHost.lowercased()
        guard host.utf8.allSatisfy(Self.isOfName), Self.names(host, claim, server) else { return nil }
        if Self.isLoopback(host) {
            guard Self.isLoopback(server) else { return nil }
        } else if Self.isAddress(host) {
            guard host == server else { return nil }
        }
    }

    /// Its root.
    package var url: String {
        let name = host.contains(":") ? "[\(host)]" : host
        let isUsual = port == (isSecure ? 443 : 80)
        return (isSecure ? "https://" : "http://") + name + (isUsual ? "" : ":\(port)") + "/"
    }

    private static func names(_ host: String, _ claim: String, _ server: String) -> Bool {
        if claim.contains(".") || claim.contains(":") { return host == claim }
        guard let dot = host.firstIndex(of: "."), dot > host.startIndex else { return host == claim }
        return domains(of: server).contains(String(host[host.index(after: dot)...]))
            && (claim == "random" || host[..<dot] == claim)
    }

    /// Below which a server has names: its own, and the one above that, but for those that are everybody's.
    private static func domains(of server: String) -> [String] {
        guard !isAddress(server) else { return [] }
        guard let dot = server.firstIndex(of: ".") else { return [server] }
        let above = String(server[server.index(after: dot)...])
        return [server] + (above.contains(".") ? [above] : [])
    }

    /// Also such as `0x7f.1`, which some take for an address: its last label begins with a digit, as no domain's does.
    private static func isAddress(_ host: String) -> Bool {
        host.contains(":") || host.split(separator: ".").last?.first?.isNumber != false
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host.hasSuffix(".localhost") || host == "::1"
            || host.hasPrefix("127.") && isAddress(host)
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
