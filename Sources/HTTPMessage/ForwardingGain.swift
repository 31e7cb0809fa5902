/// The fields that a request gains on its way. They are written behind its own, without becoming some of them: that
/// would copy these first.
struct ForwardingGain {
    /// A value in pieces, so that it need not be put together before it is written.
    struct Pieces {
        fileprivate let first: String
        fileprivate let second: String
        fileprivate let third: String
        fileprivate let fourth: String
        fileprivate let fifth: String

        init(
            _ first: String, _ second: String = "", _ third: String = "", _ fourth: String = "",
            _ fifth: String = ""
        ) {
            self.first = first
            self.second = second
            self.third = third
            self.fourth = fourth
            self.fifth = fifth
        }

        @inline(__always)
        var utf8Count: Int {
            first.utf8.count + second.utf8.count + third.utf8.count + fourth.utf8.count + fifth.utf8.count
        }

        @inline(__always)
        func each(_ body: (String) -> Void) {
            body(first)
            if second.isEmpty { return }
            body(second)
            if third.isEmpty { return }
            body(third)
            body(fourth)
            body(fifth)
        }

        var joined: String { first + second + third + fourth + fifth }
    }

    /// Longest `Host` that is repeated; longer ones name nothing.
    private static let longestHost = 300

    private var hops: String
    private var earlierElements = ""
    private var earlierVia = ""
    private var scheme: String?
    private var forwardedHost: String?
    private var port: String?
    /// Our element of `Forwarded`: who called, for which host, by what.
    private let source: String
    private let opening: String
    private let host: String
    private let ending: String
    /// Our own part of `Via`, or nil: it is not written, and neither is `Forwarded`.
    private let via: String?
    private let certificateName: String?
    private let publicPrefix: String?
    private let isHostListed: Bool
    private let upgrade: UpgradeOffer
    private let takesTrailers: Bool

    /// What is gained where nobody has said anything before.
    init(
        _ caller: CallerForwarding.Caller, host: String?, via: String?, publicPrefix: String?,
        isHostListed: Bool, upgrade: UpgradeOffer, takesTrailers: Bool
    ) {
        hops = caller.peer
        source = caller.source
        scheme = caller.isSecure ? "https" : "http"
        if let host, !host.isEmpty, host.utf8.count <= Self.longestHost {
            forwardedHost = host
            port = Self.port(ofHost: host) ?? (caller.isSecure ? "443" : "80")
            self.host = host
            // A port takes quotes.
            if host.isToken {
                opening = ";host="
                ending = caller.isSecure ? ";proto=https" : ";proto=http"
            } else {
                opening = ";host=\""
                ending = caller.isSecure ? "\";proto=https" : "\";proto=http"
            }
        } else {
            self.host = ""
            opening = caller.isSecure ? ";proto=https" : ";proto=http"
            ending = ""
        }
        certificateName = caller.certificateName
        self.via = via
        self.publicPrefix = publicPrefix
        self.isHostListed = isHostListed
        self.upgrade = upgrade
        self.takesTrailers = takesTrailers
    }

    /// In the order in which they are written. The origin learns nothing of those for the tunnel client.
    @inline(__always)
    func each(_ body: (FieldName, Pieces) -> Void) {
        body(.xForwardedFor, Pieces(hops))
        if let scheme { body(.xForwardedProto, Pieces(scheme)) }
        if let certificateName { body(.xClientCertificateName, Pieces(certificateName)) }
        if let forwardedHost { body(.xForwardedHost, Pieces(forwardedHost)) }
        if let port { body(.xForwardedPort, Pieces(port)) }
        if let via {
            body(.forwarded, element)
            body(.via, Pieces(earlierVia.isEmpty ? via : earlierVia, earlierVia.isEmpty ? "" : via))
        }
        if isHostListed { body(.xTunnelHost, Pieces("listed")) }
        if let publicPrefix { body(.xTunnelPublic, Pieces(publicPrefix)) }
        if !upgrade.isEmpty {
            body(.connection, Pieces("Upgrade"))
            body(.upgrade, Pieces(upgrade.fieldValue))
        }
        if takesTrailers { body(.te, Pieces(HeaderFields.trailersCoding)) }
    }

    /// All of `Forwarded`, with our element at its end.
    private var element: Pieces {
        earlierElements.isEmpty
            ? Pieces(source, opening, host, ending)
            : Pieces(earlierElements, source, opening, host, ending)
    }

    /// The port that stands in a `Host`.
    private static func port(ofHost host: String) -> String? {
        var host = host
        return host.withUTF8 { text in
            var start = text.count
            while start > 0, text[start - 1] &- 0x30 < 10 { start -= 1 }
            guard start > 0, start < text.count, text[start - 1] == UInt8(ascii: ":") else { return nil }
            return String(decoding: text[start...], as: UTF8.self)
        }
    }

    /// That of a scheme; nil for one of which we know none.
    private static func port(ofScheme scheme: String) -> String? {
        switch scheme.lowercased() {
        case "http", "ws": "80"
        case "https", "wss": "443"
        default: nil
        }
    }

    // MARK: Behind a proxy that we trust

    /// Adds to what a trusted proxy said of earlier hops, and says nothing that it said already.
    ///
    /// `X-Forwarded-For` counts, where it is there: a proxy that writes this one may pass on a `Forwarded` that strangers wrote.
    /// Where the two name other hops, `Forwarded` is made of it. Where the proxy wrote `Forwarded` alone, it is the other
    /// way round.
    mutating func takeOver(_ fields: inout HeaderFields, describing described: Forwarded.Element?) {
        let entries = fields.values(.xForwardedFor).filter { !$0.isEmpty }
        let elements = Forwarded.elements(fields.values(.forwarded)) ?? []
        if !entries.isEmpty {
            hops = (entries + [hops]).joined(separator: ", ")
        } else if !elements.isEmpty {
            let nodes = elements.map { safe($0.node).map { Forwarded.address(in: $0) } ?? "unknown" }
            hops = (nodes + [hops[...]]).joined(separator: ", ")
        }
        scheme = fields.contains(.xForwardedProto) ? nil : safe(described?.scheme).map(String.init) ?? scheme
        forwardedHost =
            fields.contains(.xForwardedHost) ? nil : safe(described?.host).map(String.init) ?? forwardedHost
        port = fields.contains(.xForwardedPort) ? nil : port(of: fields)
        if via != nil {
            earlierElements = Self.earlier(entries, elements, fields)
            earlierVia = fields.values(.via).filter { !$0.isEmpty }.map { $0 + ", " }.joined()
            fields.remove([.forwarded, .via, .xForwardedFor])
        } else {
            fields.remove(.xForwardedFor)
        }
        fields.removeCertificateName()
    }

    private func port(of fields: HeaderFields) -> String? {
        let first = { (name: FieldName) in fields[name].map { String($0.prefix { $0 != "," }) } }
        guard let host = forwardedHost ?? first(.xForwardedHost),
            let scheme = scheme ?? first(.xForwardedProto)
        else { return nil }
        return Self.port(ofHost: host) ?? Self.port(ofScheme: scheme)
    }

    /// What `Forwarded` says of earlier hops, with a comma behind it; "" for nothing.
    private static func earlier(
        _ entries: [String], _ elements: [Forwarded.Element], _ fields: HeaderFields
    ) -> String {
        let written = { fields.values(.forwarded).filter { !$0.isEmpty }.map { $0 + ", " }.joined() }
        guard !entries.isEmpty else { return elements.isEmpty ? "" : written() }
        let hops = entries.flatMap { $0.split(separator: ",") }.map { Forwarded.address(in: $0) }
        let same = elements.map { Forwarded.address(in: $0.node?[...] ?? "").lowercased() }
        if same == hops.map({ $0.lowercased() }) { return written() }
        var made = hops.map { "for=" + Forwarded.node(String($0)) }
        // These tell of who called the proxy.
        let last = made.endIndex - 1
        if last >= 0 {
            if let host = safe(fields[.xForwardedHost]) { made[last] += ";host=\"\(host)\"" }
            if let scheme = safe(fields[.xForwardedProto]) { made[last] += ";proto=\(scheme)" }
        }
        return made.map { $0 + ", " }.joined()
    }
}

/// The first of several values, where it can be a node, a host or a scheme: in no list and no quotes it is more than one.
private func safe(_ value: String?) -> Substring? {
    guard let first = value?.prefix(while: { $0 != "," }), !first.isEmpty,
        first.utf8.allSatisfy({ $0.isTokenByte || ":[]".utf8.contains($0) })
    else { return nil }
    return first
}

extension String {
    /// Whether it may stand without quotes.
    fileprivate var isToken: Bool {
        var text = self
        return text.withUTF8 { bytes in
            for byte in bytes where !byte.isTokenByte { return false }
            return true
        }
    }
}
