/// What is done with each field that a request gains. Its value comes in pieces, so that it need not be put together first.
protocol GainVisitor {
    mutating func field(
        _ name: FieldName, _ first: String, _ second: String, _ third: String, _ fourth: String,
        _ fifth: String)
}

extension GainVisitor {
    @inline(__always)
    mutating func field(_ name: FieldName, _ first: String, _ second: String = "") {
        field(name, first, second, "", "", "")
    }
}

/// The fields that a request gains on its way. They are written behind its own, without becoming some of them: that
/// would copy these first, and neither is it copied itself.
struct ForwardingGain: ~Copyable {
    /// Longest `Host` that is repeated; longer ones name nothing.
    static let longestHost = 300

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
    func visit(_ visitor: inout some GainVisitor) {
        visitor.field(.xForwardedFor, hops)
        if let scheme { visitor.field(.xForwardedProto, scheme) }
        if let certificateName { visitor.field(.xClientCertificateName, certificateName) }
        if let forwardedHost { visitor.field(.xForwardedHost, forwardedHost) }
        if let port { visitor.field(.xForwardedPort, port) }
        if let via {
            visitor.field(.forwarded, earlierElements, source, opening, host, ending)
            visitor.field(.via, earlierVia, via)
        }
        if isHostListed { visitor.field(.xTunnelHost, "listed") }
        if let publicPrefix { visitor.field(.xTunnelPublic, publicPrefix) }
        if !upgrade.isEmpty {
            visitor.field(.connection, "Upgrade")
            visitor.field(.upgrade, upgrade.fieldValue)
        }
        if takesTrailers { visitor.field(.te, HeaderFields.trailersCoding) }
    }

    /// How many bytes `write` takes.
    var writtenBytes: Int {
        var counter = Counter()
        visit(&counter)
        return counter.bytes
    }

    /// Writes them as lines, each ended by CRLF.
    func write(to cursor: inout ByteCursor) {
        var writer = Writer(cursor: cursor)
        visit(&writer)
        cursor = writer.cursor
    }

    /// Makes them some of these.
    func append(to fields: inout HeaderFields) {
        var appender = Appender(fields: fields)
        visit(&appender)
        fields = appender.fields
    }

    private struct Counter: GainVisitor {
        var bytes = 0

        @inline(__always)
        mutating func field(
            _ name: FieldName, _ first: String, _ second: String, _ third: String, _ fourth: String,
            _ fifth: String
        ) {
            bytes += name.text.utf8CodeUnitCount + 4 + first.utf8.count + second.utf8.count
            bytes += third.utf8.count + fourth.utf8.count + fifth.utf8.count
        }
    }

    private struct Writer: GainVisitor {
        var cursor: ByteCursor

        @inline(__always)
        mutating func field(
            _ name: FieldName, _ first: String, _ second: String, _ third: String, _ fourth: String,
            _ fifth: String
        ) {
            cursor.append(name.text)
            cursor.append(": ")
            if !first.isEmpty { cursor.append(utf8: first) }
            if !second.isEmpty { cursor.append(utf8: second) }
            if !third.isEmpty { cursor.append(utf8: third) }
            if !fourth.isEmpty { cursor.append(utf8: fourth) }
            if !fifth.isEmpty { cursor.append(utf8: fifth) }
            cursor.append("\r\n")
        }
    }

    private struct Appender: GainVisitor {
        var fields: HeaderFields

        mutating func field(
            _ name: FieldName, _ first: String, _ second: String, _ third: String, _ fourth: String,
            _ fifth: String
        ) {
            fields.append(name, first + second + third + fourth + fifth)
        }
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
