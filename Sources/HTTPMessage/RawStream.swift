/// How a stream of a session is asked for that carries a connection of any protocol, and how it is granted: as an upgrade of
/// a CONNECT, so that nobody takes it for a request to an HTTP origin.
package enum RawStream {
    /// What the field `Upgrade` says.
    static let protocolName = "wstunnel-tcp"
    /// Nothing stands there: where the connection goes, the tunnel client's configuration says.
    static let target = "*"

    /// - Parameters:
    ///   - caller: the address that connected, with its port: `192.0.2.1:40000`, `[2001:db8::1]:40000`.
    ///   - local: the address that it connected to; nil where nobody knows.
    package static func request(caller: String, local: String?) -> RequestHead {
        var head = RequestHead(method: "CONNECT", target: target)
        head.fields.append(.connection, "Upgrade")
        head.fields.append(.upgrade, protocolName)
        head.fields.append(named: callerField, caller)
        if let local { head.fields.append(named: localField, local) }
        return head
    }

    private static let callerField = "X-Tunnel-Caller"
    private static let localField = "X-Tunnel-Local"

    /// The granting answer: behind it both directions are raw.
    package static var grant: ResponseHead {
        var head = ResponseHead(status: 101)
        head.fields.append(.connection, "Upgrade")
        head.fields.append(.upgrade, protocolName)
        return head
    }

    /// Who connected, and to what, as far as the request says it.
    package struct Endpoints: Hashable, Sendable {
        /// With its port.
        package let caller: String?
        /// The same of our end.
        package let local: String?

        package init(_ request: RequestHead) {
            caller = request.fields.first(named: RawStream.callerField)
            local = request.fields.first(named: RawStream.localField)
        }
    }
}

extension RequestHead {
    /// Whether it asks for a raw stream.
    package var asksForRawStream: Bool {
        method == "CONNECT" && upgradeOffer.protocols == [RawStream.protocolName]
    }
}
