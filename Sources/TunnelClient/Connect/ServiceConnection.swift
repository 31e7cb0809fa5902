import HTTPMessage
import NIOCore
package import NIOPosix
import TransportSecurity
package import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// A connection to the service behind somebody's tunnel, as one of its callers: what `wstunnel connect` is.
package enum ServiceConnection {
    /// How long the server's answer may take: it waits for a tunnel that is down.
    private static let answerPatience = TimeAmount.seconds(120)

    /// Connects, and pumps until the end.
    ///
    /// - Parameters:
    ///   - configuration: whose server, token, proxy and trust count.
    ///   - input: what is sent; read until its end.
    ///   - output: where to write what comes; closed behind it.
    ///   - software: program and version.
    package static func run(
        _ configuration: TunnelClientConfiguration, input: CInt, output: CInt, software: String,
        group: MultiThreadedEventLoopGroup
    ) async -> PipeEnd {
        let eventLoop = group.next()
        let ended = eventLoop.makePromise(of: PipeEnd.self)
        do {
            let dialler = TunnelDialler(
                try target(configuration, software: software), answerPatience: answerPatience)
            _ = try await dialler.dialRaw(on: eventLoop) {
                StandardPipe(input: input, output: output, on: eventLoop, ended: ended)
            }
        } catch {
            let words = (error as? DialError)?.message ?? "\(error)"
            ended.succeed(.notReached(mask(configuration).apply(to: words)))
        }
        return (try? await ended.futureResult.get()) ?? .brokeOff("it was stopped")
    }

    private static func target(
        _ configuration: TunnelClientConfiguration, software: String
    ) throws(TLSSetupError) -> TunnelDialler.Target {
        let url = configuration.tunnel
        var tls: ClientTLS?
        if url.isSecure {
            let trust = try ClientTLS(configuration.trust, identity: configuration.identity) { true }
            try trust.load(for: url.host)
            tls = trust
        }
        var fields = HeaderFields([
            .xToken: configuration.token.secret, .xClientVersion: software,
        ])
        if let credentials = url.credentials { fields.append(.authorization, authorization(credentials)) }
        return TunnelDialler.Target(
            host: url.host, port: url.port, path: url.basePath + WebSocketHandshake.rawEndpoint,
            fields: fields, tls: tls,
            proxy: configuration.proxy.map {
                HTTPProxy(host: $0.host, port: $0.port, authorization: $0.credentials.map(authorization))
            })
    }

    private static func mask(_ configuration: TunnelClientConfiguration) -> SecretMask {
        let credentials = [configuration.tunnel.credentials, configuration.proxy?.credentials].compactMap(
            \.self)
        return SecretMask(
            [configuration.token.secret] + credentials.map(\.password.secret)
                + credentials.map { String(authorization($0).dropFirst("Basic ".count)) })
    }

    private static func authorization(_ credentials: BasicCredentials) -> String {
        BasicAuthorization.encode(user: credentials.user, password: credentials.password.secret)
    }
}
