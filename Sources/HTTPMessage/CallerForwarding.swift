package import struct NIOCore.ByteBuffer

/// What the tunnel server knows of one request: what crosses the tunnel is freed of the caller's hop and of its secret, and
/// tells the origin what it may know about the caller. Used for one request after another where they are alike, by one thread
/// at a time.
package final class CallerForwarding {
    /// Who sends a request, as far as a hop knows it.
    package final class Caller: Sendable {
        /// The address that connected.
        let peer: String
        /// The same as an element of `Forwarded` begins, with its port where that is known.
        let source: String
        /// Whether it is a proxy whose words about earlier hops count.
        let isPeerTrusted: Bool
        /// What such a proxy said in `Forwarded` of who called it, where it says nothing in `X-Forwarded-For`.
        let described: Forwarded.Element?
        /// Whether it speaks TLS with us.
        let isSecure: Bool
        /// Whether it speaks HTTP/2 with us.
        package let isHTTP2: Bool
        /// In the certificate that it has shown, where the origin is to be told.
        package let certificateName: String?

        /// - Parameters:
        ///   - peer: the address that connected.
        ///   - source: of this address, as `source(_:port:)` makes it; nil where its port is not known.
        ///   - isPeerTrusted: whether it is a proxy whose words about earlier hops count.
        ///   - described: what such a proxy said in `Forwarded` of who called it, where it sent no `X-Forwarded-For`.
        ///   - isSecure: whether it speaks TLS with us.
        ///   - isHTTP2: whether it speaks HTTP/2 with us.
        ///   - certificateName: in the certificate that it has shown, where the origin is to be told.
        package init(
            peer: String, source: String? = nil, isPeerTrusted: Bool = false,
            described: Forwarded.Element? = nil, isSecure: Bool = false, isHTTP2: Bool = false,
            certificateName: String? = nil
        ) {
            self.peer = peer
            self.source = source ?? Self.source(peer)
            self.isPeerTrusted = isPeerTrusted
            self.described = described
            self.isSecure = isSecure
            self.isHTTP2 = isHTTP2
            self.certificateName = certificateName
        }

        /// How an element of `Forwarded` begins that names this address. The same for all requests of a connection.
        package static func source(_ address: String, port: Int? = nil) -> String {
            "for=" + Forwarded.node(address, port: port)
        }
    }

    /// Fields that a request has gained, as they were written.
    private struct Gained {
        /// What they depend on, apart from what holds for all requests here: the value of `Host`, if any.
        let host: [UInt8]
        let version: HTTPVersion
        /// Without the token.
        let lines: [UInt8]
    }

    private let token: String
    private let isHostListed: Bool
    private let publicPrefix: PublicPrefix
    package let caller: Caller
    private let tellsAll: Bool
    private let rewriting: FieldRewriting?
    private let memory: HeadMemory
    /// Those of the latest request: most that follow on a connection gain the same.
    private var gained: Gained?

    /// - Parameters:
    ///   - token: which is not to cross.
    ///   - isHostListed: whether the request named its tunnel by its `Host` alone, as the server's configuration lists it.
    ///   - publicPrefix: what stood in front of the request's target, which is without it already.
    ///   - tellsAll: whether `Forwarded` and `Via` are written, not `X-Forwarded-…` alone.
    ///   - rewriting: what else becomes of its fields, if anything.
    ///   - memory: for the heads.
    package init(
        token: String, isHostListed: Bool, publicPrefix: PublicPrefix = PublicPrefix(), caller: Caller,
        tellsAll: Bool = true, rewriting: FieldRewriting? = nil, memory: HeadMemory = HeadMemory()
    ) {
        self.token = token
        self.isHostListed = isHostListed
        self.publicPrefix = publicPrefix
        self.caller = caller
        self.tellsAll = tellsAll
        self.rewriting = rewriting
        self.memory = memory
    }

    /// What may hold URLs of the server.
    private static let namingPaths: FieldNameSet = [.destination, .if, .referer]

    private var basePath: String { publicPrefix.basePath }

    /// The same for another tunnel.
    package func leading(to token: String) -> CallerForwarding {
        CallerForwarding(
            token: token, isHostListed: isHostListed, publicPrefix: publicPrefix, caller: caller,
            tellsAll: tellsAll, rewriting: rewriting, memory: memory)
    }

    /// - Parameter upgrade: what the request may leave HTTP for.
    package func head(of request: RequestHead, upgrade: UpgradeOffer) -> ByteBuffer {
        plainHead(of: request, upgrade) ?? searchedHead(of: request, upgrade)
    }

    /// The head where fields may be changed within.
    func searchedHead(of request: RequestHead, _ upgrade: UpgradeOffer) -> ByteBuffer {
        var head = request
        let takesTrailers = head.fields.takesTrailers
        Forwarding.rewrite(&head.fields, at: .requestIntoTunnel)
        if !basePath.isEmpty { leaveBasePathOut(&head.fields) }
        if head.fields.value(of: .referer, contains: "/_token/") { leaveTokenOut(&head.fields) }
        if let rewriting { rewriting.rewrite(request: &head.fields) }
        let gain = gain(&head, upgrade, takesTrailers: takesTrailers)
        var text = ByteBuffer()
        text.writeRequestHead(head, behindWhich: gain)
        guard TokenRemoval.mayFind(token, in: text) else { return text }
        gain.append(to: &head.fields)
        TokenRemoval(token: token, basePath: basePath).clean(&head)
        text.clear()
        text.writeRequestHead(head)
        return text
    }

    /// The same where nothing is changed within a field: nearly always. Its fields are written from where they are, and
    /// behind them those that it gains, as they were written for the request before.
    ///
    /// - Returns: nil where a closer look is needed.
    func plainHead(of request: RequestHead, _ upgrade: UpgradeOffer) -> ByteBuffer? {
        guard rewriting == nil, !caller.isPeerTrusted, upgrade.isEmpty,
            basePath.isEmpty || !request.fields.containsAny(of: Self.namingPaths),
            request.fields.goAsStrangersDo, !request.fields.value(of: .referer, contains: "/_token/"),
            let lines = linesGained(by: request)
        else { return nil }
        let room = request.fields.writtenBytes + request.target.utf8.count + lines.count + 64
        let (text, length) = memory.write(room: room) {
            $0.writeStrangersHead(request, behindWhich: lines)
        }
        // It stands in no line in part.
        return TokenRemoval.mayFind(token, in: text, first: length) ? nil : text
    }

    /// - Returns: nil where they hold the token.
    private func linesGained(by request: RequestHead) -> [UInt8]? {
        if let gained, gained.version == request.version,
            request.fields.value(of: .host, isAsIn: gained.host)
        {
            return gained.lines
        }
        let host = request.fields[.host]
        let gain = strangersGain(request, host: host)
        let lines = [UInt8](unsafeUninitializedCapacity: gain.writtenBytes) { memory, count in
            var cursor = ByteCursor(UnsafeMutableRawBufferPointer(memory))
            gain.write(to: &cursor)
            count = cursor.count
        }
        guard !TokenRemoval.mayFind(token, in: lines) else { return nil }
        let hostBytes = Array((host ?? "").utf8)
        // A stranger chooses how long it is, and an idle connection would keep it.
        if hostBytes.count <= ForwardingGain.longestHost {
            gained = Gained(host: hostBytes, version: request.version, lines: lines)
        }
        return lines
    }

    /// - Parameter trailers: of the caller's body.
    package func lines(ofTrailers trailers: HeaderFields) -> ByteBuffer {
        var trailers = trailers
        if let rewriting { rewriting.rewrite(trailers: &trailers) }
        let lines = trailers.trailerLines
        guard TokenRemoval.mayFind(token, in: lines) else { return lines }
        TokenRemoval(token: token, basePath: basePath).clean(&trailers)
        return trailers.trailerLines
    }

    /// Says who calls, by which protocol and for which host. What strangers say themselves counts for nothing; a trusted
    /// proxy knows more than we do, and is itself one more hop.
    private func gain(
        _ head: inout RequestHead, _ upgrade: UpgradeOffer, takesTrailers: Bool
    ) -> ForwardingGain {
        var gain = strangersGain(
            head, host: head.fields[.host], upgrade: upgrade, takesTrailers: takesTrailers)
        if caller.isPeerTrusted {
            gain.takeOver(&head.fields, describing: caller.described)
        } else {
            head.fields.removeForwarding()
        }
        return gain
    }

    /// The same where nobody's words count.
    private func strangersGain(
        _ head: RequestHead, host: String?, upgrade: UpgradeOffer = UpgradeOffer(),
        takesTrailers: Bool = false
    ) -> ForwardingGain {
        let via =
            caller.isHTTP2 ? "2.0 wstunnel" : head.version == .http10 ? "1.0 wstunnel" : "1.1 wstunnel"
        return ForwardingGain(
            caller, host: host, via: tellsAll ? via : nil, publicPrefix: publicPrefix.fieldValue,
            isHostListed: isHostListed, upgrade: upgrade, takesTrailers: takesTrailers)
    }

    /// A page of another tunnel may lead here: its token is none of this origin's business either.
    private func leaveTokenOut(_ fields: inout HeaderFields) {
        fields.replaceValues(of: [.referer]) { value in
            guard let place = value.firstRange(of: "/_token/") else { return nil }
            var front = value[..<place.lowerBound]
            if front.hasSuffix(basePath) { front = front.dropLast(basePath.count) }
            let rest = value[place.upperBound...].drop { !"/?#".contains($0) }
            return front + (rest.first == "/" ? "" : "/") + rest
        }
    }

    /// As the target is without it: a `Destination` with it would be another folder than the target's.
    private func leaveBasePathOut(_ fields: inout HeaderFields) {
        guard let host = fields[.host] else { return }
        fields.replaceValues(of: Self.namingPaths) { value in
            OwnURLs.rewrite(value, host: host) { url in
                guard url.path.hasPrefix(basePath) else { return nil }
                let rest = url.path.dropFirst(basePath.count)
                guard rest.isEmpty || "/?#".contains(rest.prefix(1)) else { return nil }
                // The token's own place is left out together with the base path, later on.
                guard !rest.hasPrefix("/_token/") else { return nil }
                return url.front + (url.front.isEmpty && rest.isEmpty ? "/" : rest)
            }
        }
    }
}
