package import HTTPMessage
package import OriginHTTP
package import TunnelConfiguration

/// How a request is written for the origin that it goes to, without I/O: its `Host`, the path in front of its own, and
/// the URLs in its fields that have to follow.
package struct OriginRequest: Sendable {
    private let address: OriginAddress
    private let basePath: String
    private let hostHeader: HostHeader
    private let redirects: Redirects
    private let token: String

    /// What is known of a request that is written for its origin.
    package struct Prepared: Sendable {
        /// What `Host` is to say; nil for the origin's own.
        package let host: String?
        /// How its answer is made one for callers; nil where it may stay as it is.
        package let view: PublicView?

        package init(host: String?, view: PublicView?) {
            self.host = host
            self.view = view
        }
    }

    /// - Parameters:
    ///   - basePath: "" or a path with a leading and without a trailing slash, which requests may not leave.
    ///   - redirects: whether what speaks of the origin's place, or of the caller's, is changed to the other's.
    ///   - token: of the tunnel.
    package init(
        address: OriginAddress, basePath: String = "", hostHeader: HostHeader = .origin,
        redirects: Redirects = .keep, token: String = ""
    ) {
        self.address = address
        self.basePath = basePath
        self.hostHeader = hostHeader
        self.redirects = redirects
        self.token = token
    }

    /// - Parameter entrance: how the request came to the tunnel.
    package func prepare(
        _ request: inout RequestHead, from entrance: TunnelEntrance
    ) throws(OriginRefusal) -> Prepared {
        let host = host(request.fields, isHostListed: entrance.isHostListed)
        let view = view(request, from: entrance, host: host)
        view?.rewrite(&request)
        if request.fields.contains(.destination) || request.fields.contains(.if) {
            try moveURLs(&request.fields, host: host ?? address.authority)
        }
        if !basePath.isEmpty {
            guard request.target.hasPrefix("/"), !ParentSegments.isThere(in: request.target) else {
                throw .outsidePrefix
            }
            request.target = basePath + request.target
        }
        return Prepared(host: host, view: view)
    }

    private func view(
        _ request: RequestHead, from entrance: TunnelEntrance, host: String?
    ) -> PublicView? {
        guard redirects == .rewrite || redirects == .auto && entrance.isHostListed,
            let place = PublicPlace(of: request.fields, prefix: entrance.prefix.path(token: token))
        else { return nil }
        let origin = URLMapping.Origin(
            isSecure: address.isSecure, authority: address.authority, host: host, prefix: basePath)
        return PublicView(
            place, origin, serverPath: entrance.prefix.basePath, asked: request.target)
    }

    private func host(_ fields: HeaderFields, isHostListed: Bool) -> String? {
        switch hostHeader {
        case .origin: return nil
        case .named(let name): return name
        // Nobody serves https under a name that is not its own, and many serve nothing under another.
        case .automatic where !isHostListed || address.isSecure: return nil
        case .automatic, .keep:
            guard let host = fields[.host], !host.isEmpty else { return nil }
            return host
        }
    }

    /// What the caller wrote for where it sent the request becomes what the origin is called. With a path in front no
    /// `Destination` may lead elsewhere (RFC 4918 §10.3).
    private func moveURLs(_ fields: inout HeaderFields, host: String) throws(OriginRefusal) {
        let own = (fields[.xForwardedHost] ?? fields[.host] ?? "").prefix { $0 != "," }
        let front = "\(address.scheme)://\(host)"
        let move = { (url: OwnURLs.URL) in (url.front.isEmpty ? "" : front) + basePath + url.path }
        if !basePath.isEmpty {
            for value in fields.values(.destination) {
                let isInside = OwnURLs.rewrite(value, host: String(own)) { $0.path }.map {
                    !ParentSegments.isThere(in: $0)
                }
                guard isInside == true else { throw .outsidePrefix }
            }
        }
        fields.replaceValues(of: [.destination, .if]) { OwnURLs.rewrite($0, host: String(own), move) }
    }
}

extension OriginRefusal {
    static let outsidePrefix = OriginRefusal(status: 400, words: "The path leads out of the origin's prefix")
}
