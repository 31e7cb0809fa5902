import Logging
import Synchronization
import TransportSecurity
import TunnelConfiguration
import TunnelTransport

/// What a client works with at one moment, made of its configuration.
struct ClientSetup: Sendable {
    var configuration: TunnelClientConfiguration
    var directory: OriginDirectory
    /// TLS to the tunnel server; nil for ws://.
    var tls: ClientTLS?
    /// TLS inside what carries the tunnel; nil for none.
    var innerTLS: ClientTLS?
    var statusFile: StatusFile?

    /// - Parameters:
    ///   - pool: of those whom other tunnels trust already.
    ///   - previous: parts of it that the configuration does not change are used again.
    ///   - onStatusFileError: told when the status file cannot be written, at once or later.
    /// - Throws: `TunnelClientError` when the certificates cannot be used. May read the system's roots: not for
    ///   event loops.
    init(
        _ configuration: TunnelClientConfiguration, trusting pool: TrustPool, logger: Logger,
        previous: ClientSetup? = nil,
        onStatusFileError: @escaping @Sendable (StatusFileError) -> Void
    ) throws(TunnelClientError) {
        self.configuration = configuration
        let old = previous?.configuration
        do throws(TLSSetupError) {
            tls = try pool.tls(configuration.trust, identity: configuration.identity)
            if configuration.tunnel.isSecure {
                try tls?.load(for: configuration.tunnel.host)
            } else {
                tls = nil
            }
            if let trust = configuration.innerTrust {
                // The system's authorities may be those of the proxy that it is to shut out.
                innerTLS =
                    old?.innerTrust == trust && old?.identity == configuration.identity
                    ? previous?.innerTLS
                    : try ClientTLS(trust, identity: configuration.identity) { false }
                try innerTLS?.load(for: configuration.tunnel.host)
            }
            if let previous, old?.originTrust == configuration.originTrust,
                old?.fallbackTrust == configuration.fallbackTrust, old?.origins == configuration.origins,
                old?.balance == configuration.balance, old?.health == configuration.health,
                old?.hostPattern == configuration.hostPattern, old?.hostHeader == configuration.hostHeader,
                old?.redirects == configuration.redirects, old?.token == configuration.token,
                old?.originVersions == configuration.originVersions,
                old?.servesHiddenFiles == configuration.servesHiddenFiles,
                old?.proxyHeader == configuration.proxyHeader
            {
                directory = previous.directory
            } else {
                directory = try OriginDirectory(
                    configuration, trusting: pool, logger: logger, previous: previous?.directory)
            }
        } catch {
            throw TunnelClientError(description: "tunnels[\(configuration.name)]: \(error)")
        }
        if let path = configuration.statusFile {
            statusFile = old?.statusFile == path ? previous?.statusFile : nil
            if statusFile == nil { statusFile = StatusFile(path: path, onError: onStatusFileError) }
        }
    }

    /// Whether a dial that failed with the other setup may succeed with this one, or should not wait as long.
    func dialsOtherwise(than other: ClientSetup) -> Bool {
        let (new, old) = (configuration, other.configuration)
        return new.trust != old.trust || new.identity != old.identity
            || new.longestRetryDelay != old.longestRetryDelay || new.maxRetries != old.maxRetries
    }
}

/// The setup in force, for all sessions of a client.
final class CurrentSetup: Sendable {
    private let state: Mutex<ClientSetup>

    init(_ setup: ClientSetup) { state = Mutex(setup) }

    var value: ClientSetup { state.withLock { $0 } }

    /// A part of it, without a copy of the rest.
    func part<Part>(_ read: (borrowing ClientSetup) -> sending Part) -> sending Part {
        state.withLock { read($0) }
    }

    var directory: OriginDirectory { state.withLock { $0.directory } }
    var statusFile: StatusFile? { state.withLock { $0.statusFile } }

    /// - Returns: the setup that was in force before.
    func replace(by setup: ClientSetup) -> ClientSetup {
        state.withLock { state in
            defer { state = setup }
            return state
        }
    }
}
