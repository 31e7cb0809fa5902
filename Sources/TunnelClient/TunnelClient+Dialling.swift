import HTTPMessage
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// Where to dial, and what to say of a failure.
extension TunnelClient {
    /// Why the server was not reached, without secrets.
    func words(for error: any Error) -> String {
        masked((error as? DialError)?.message ?? ConnectionFailure.describe(error))
    }

    /// The text without secrets: what a server or a proxy says may repeat what it was told.
    func masked(_ text: String) -> String {
        let tunnel = setup.value.configuration
        var secrets = [
            tunnel.token.secret, tunnel.password?.secret, tunnel.tunnel.credentials?.password.secret,
            tunnel.proxy?.credentials?.password.secret,
        ].compactMap { $0 }
        let target = target(0)
        let authorizations = target.fields.pairs.map(\.value) + [target.proxy?.authorization ?? ""]
        secrets += authorizations.compactMap { $0.hasPrefix("Basic ") ? String($0.dropFirst(6)) : nil }
        return SecretMask(secrets).apply(to: text)
    }

    /// Where to dial and how to announce the tunnel.
    ///
    /// Two passwords want the field `Authorization`: the token's, where an old server looks for it, and that of the URL,
    /// where what stands before the server does. The other one goes in `X-Tunnel-Authorization`.
    ///
    /// - Parameters:
    ///   - way: by what.
    ///   - passwordGivesWay: whether it is the token's that does.
    func target(
        _ slot: Int, by way: TransportChoice.Way = .webSocket, passwordGivesWay: Bool = false
    ) -> TunnelDialler.Target {
        let setup = setup.value
        let configuration = setup.configuration
        let url = configuration.tunnel
        var fields = HeaderFields([.origin: configuration.token.secret, .xClientVersion: software])
        fields.append(named: "X-Tunnel-Client", "\(identity.clientID)/\(firstSlot + slot)")
        let own = configuration.password.map {
            BasicAuthorization.encode(user: configuration.token.secret, password: $0.secret)
        }
        let outer = url.credentials.map(Self.authorization)
        let ordered = (passwordGivesWay ? [outer, own] : [own, outer]).compactMap(\.self)
        for (name, value) in zip([FieldName.authorization, .xTunnelAuthorization], ordered) {
            fields.append(name, value)
        }
        return TunnelDialler.Target(
            host: url.host, port: url.port, path: url.basePath + "/_tunnel", fields: fields, tls: setup.tls,
            proxy: configuration.proxy.map {
                HTTPProxy(host: $0.host, port: $0.port, authorization: $0.credentials.map(Self.authorization))
            }, clientPorts: ClientPorts(configuration.clientPorts),
            offersMux: configuration.protocol == .auto,
            carrier: way, innerTLS: setup.innerTLS,
            outerAuthorization: outer)
    }

    /// Whether there are two passwords for one field.
    var hasTwoPasswords: Bool {
        let configuration = setup.value.configuration
        return configuration.password != nil && configuration.tunnel.credentials != nil
    }

    private static func authorization(_ credentials: BasicCredentials) -> String {
        BasicAuthorization.encode(user: credentials.user, password: credentials.password.secret)
    }
}
