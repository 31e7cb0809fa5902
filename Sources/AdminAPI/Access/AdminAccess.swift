import HTTPMessage
package import TransportSecurity
package import TunnelConfiguration
import TunnelProtocol

/// Who may ask an admin server, by which names, and over what.
package struct AdminAccess: Sendable {
    /// Whether it is the control socket, which its file's mode and the peer's user id guard.
    let isLocal: Bool
    /// Who brings one of these may do as much.
    private let tokens: [(role: AdminRole, token: Secret)]
    /// Nil: plain HTTP.
    let tls: ServerTLS?
    private let clientNames: Set<NameGlob>
    private let names: HostNameSet

    /// Whoever can open the control socket.
    package static let localUser = AdminAccess(
        isLocal: true, tokens: [], tls: nil, clientNames: [], names: HostNameSet([]))

    /// Whoever brings the token, which is good for everything.
    package static func token(_ token: Secret, names: Set<String> = []) -> AdminAccess {
        AdminAccess(
            AdminConfiguration(host: "127.0.0.1", port: 0, token: token, names: names), tls: nil)
    }

    /// - Parameter tls: made of the configuration's; nil where that has none.
    package init(_ configuration: AdminConfiguration, tls: ServerTLS?) {
        let tokens: [(AdminRole, Secret?)] = [
            (.look, configuration.lookToken), (.operate, configuration.operateToken),
            (.administer, configuration.token),
        ]
        let certified = tls?.configuration.certificates.flatMap(\.hosts) ?? []
        self.init(
            isLocal: false, tokens: tokens.compactMap { role, token in token.map { (role, $0) } }, tls: tls,
            clientNames: configuration.clientNames,
            names: HostNameSet(
                configuration.names.union(certified).union(["localhost", configuration.host.lowercased()])))
    }

    private init(
        isLocal: Bool, tokens: [(role: AdminRole, token: Secret)], tls: ServerTLS?,
        clientNames: Set<NameGlob>, names: HostNameSet
    ) {
        self.isLocal = isLocal
        self.tokens = tokens
        self.tls = tls
        self.clientNames = clientNames
        self.names = names
    }

    /// Whether whoever might ask by an earlier one may by this one too, but for the names it is asked by.
    func admitsAll(of old: AdminAccess) -> Bool {
        tokens.elementsEqual(old.tokens) { $0 == $1 } && clientNames == old.clientNames
            && (tls == nil) == (old.tls == nil)
            && tls?.configuration.clientAuthority?.pem == old.tls?.configuration.clientAuthority?.pem
    }

    // MARK: Requests

    /// What may become of a request, whatever it asks for.
    ///
    /// - Parameters:
    ///   - connection: that it came by.
    ///   - now: seconds since 1970.
    func entry(of head: RequestHead, by connection: AdminConnection, now: Int) -> AdminEntry {
        guard !isLocal else { return .admitted(.administer) }
        guard tls == nil || connection.tls != nil else {
            return .refused(.adminError(421, "this port speaks TLS by now: connect anew, with https://"))
        }
        if let fault = originFault(of: head) { return .refused(fault) }
        if let fault = certificateFault(of: connection, now: now) { return .stranger(fault) }
        guard let role = role(of: head) else {
            return .stranger(.adminError(401, "the token is missing or wrong: Authorization: Bearer TOKEN"))
        }
        return .admitted(role)
    }

    /// A page of another site must not ask in the name of who looks at it: neither by a name of its own that leads here (DNS
    /// rebinding), nor openly. That takes a browser, and each of those says so.
    private func originFault(of head: RequestHead) -> OwnAnswer? {
        let host = head.fields[.host]
        if let host, !isOwn(host) {
            return .adminError(
                421, "nobody is asked here by that name: use an address, or add the name to admin.hosts")
        }
        // To be asked from the same site is not enough: that may be another port.
        if let site = head.fields.first(named: "Sec-Fetch-Site"), site != "same-origin", site != "none" {
            return .adminError(403, "pages of other sites may not ask here")
        }
        if let origin = head.fields.first(named: "Origin"),
            Self.host(ofOrigin: origin)?.lowercased() != host?.lowercased()
        {
            return .adminError(403, "pages of other sites may not ask here")
        }
        return nil
    }

    private static func host(ofOrigin origin: String) -> String? {
        origin.firstRange(of: "://").map { String(origin[$0.upperBound...]) }
    }

    private func isOwn(_ host: String) -> Bool {
        var name = host.lowercased()[...]
        if name.hasPrefix("[") {
            name = name.dropFirst().prefix { $0 != "]" }
        } else {
            name = name.prefix { $0 != ":" }
        }
        return AddressRange.isAddress(name) || names.contains(name)
    }

    private func certificateFault(of connection: AdminConnection, now: Int) -> OwnAnswer? {
        guard let authority = tls?.configuration.clientAuthority else { return nil }
        guard let shown = connection.certificate, shown.notAfter >= now,
            connection.tls?.configuration.clientAuthority?.pem == authority.pem
        else {
            return .adminError(403, "a client certificate is asked for here, and none was shown that is good")
        }
        guard !clientNames.isEmpty,
            !shown.names.contains(where: { name in clientNames.contains { $0.matches(name) } })
        else { return nil }
        return .adminError(403, "the client certificate is good, but not one of those that may ask here")
    }

    /// Compares with every token, whichever it is.
    private func role(of head: RequestHead) -> AdminRole? {
        guard let value = head.fields[.authorization], value.lowercased().hasPrefix("bearer ") else {
            return nil
        }
        let brought = String(value.dropFirst("bearer ".count))
        return tokens.reduce(nil) { role, entry in
            ConstantTime.areEqual(brought, entry.token.secret) ? entry.role : role
        }
    }
}

/// What may become of a request to an admin server, whatever it asks for.
enum AdminEntry: Sendable {
    case admitted(AdminRole)
    /// It gets what everybody may see, else this answer.
    case stranger(OwnAnswer)
    /// It gets this answer.
    case refused(OwnAnswer)
}

/// What is known of a connection to an admin server.
struct AdminConnection: Sendable {
    /// What it speaks TLS by, or nil.
    let tls: ServerTLS?
    /// What its peer has shown.
    var certificate: PeerCertificate?
}

/// Host names; `*.` in front stands for any one label.
struct HostNameSet: Sendable {
    private let exact: Set<Substring>
    /// What follows the star.
    private let wild: Set<Substring>

    /// - Parameter names: in lower case.
    init(_ names: Set<String>) {
        exact = Set(names.filter { !$0.hasPrefix("*.") }.map { $0[...] })
        wild = Set(names.filter { $0.hasPrefix("*.") }.map { $0.dropFirst() })
    }

    /// - Parameter name: in lower case, perhaps with the dot of the root.
    func contains(_ name: Substring) -> Bool {
        let name = name.hasSuffix(".") ? name.dropLast() : name
        if exact.contains(name) { return true }
        guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return false }
        return wild.contains(name[dot...])
    }
}
