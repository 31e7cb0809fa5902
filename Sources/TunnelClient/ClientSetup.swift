import Synchronization
import TunnelConfiguration
import TunnelTransport

/// What a client works with at one moment, made of its configuration.
struct ClientSetup: Sendable {
    var configuration: TunnelClientConfiguration
    var directory: OriginDirectory
    /// TLS to the tunnel server; nil for ws://.
    var tls: ClientTLS?
    var statusFile: StatusFile?

    /// - Parameters:
    ///   - previous: parts of it that the configuration does not change are used again.
    ///   - onStatusFileError: told when the status file cannot be written, at once or later.
    /// - Throws: `TunnelClientError` when the certificates cannot be used. Reads the system's roots: not for event
    ///   loops.
    init(
        _ configuration: TunnelClientConfiguration, previous: ClientSetup? = nil,
        onStatusFileError: @escaping @Sendable (StatusFileError) -> Void
    ) throws(TunnelClientError) {
        self.configuration = configuration
        let old = previous?.configuration
        let trustsTheSame =
            old?.certificates == configuration.certificates && old?.isInsecure == configuration.isInsecure
        do {
            if let previous, trustsTheSame, old?.origin == configuration.origin,
                old?.hostPattern == configuration.hostPattern
            {
                directory = previous.directory
            } else {
                directory = try OriginDirectory(
                    configuration, tls: trustsTheSame ? previous?.directory.tls : nil)
            }
            if !configuration.tunnel.isSecure {
                tls = nil
            } else if trustsTheSame, let tls = previous?.tls {
                self.tls = tls
            } else {
                tls = try ClientTLS(
                    pem: configuration.certificates?.pem, isInsecure: configuration.isInsecure)
            }
        } catch {
            throw TunnelClientError(description: "tunnels[\(configuration.name)]: \(error)")
        }
        if let path = configuration.statusFile {
            statusFile = old?.statusFile == path ? previous?.statusFile : nil
            if statusFile == nil {
                let file = StatusFile(path: path, onError: onStatusFileError)
                file.tryOut()
                statusFile = file
            }
        }
    }

    /// Whether a dial that failed with the other setup may succeed with this one, or should not wait as long.
    func dialsOtherwise(than other: ClientSetup) -> Bool {
        let (new, old) = (configuration, other.configuration)
        return new.certificates != old.certificates || new.isInsecure != old.isInsecure
            || new.longestRetryDelay != old.longestRetryDelay || new.maxRetries != old.maxRetries
    }
}

/// The setup in force, for all sessions of a client.
final class CurrentSetup: Sendable {
    private let state: Mutex<ClientSetup>

    init(_ setup: ClientSetup) { state = Mutex(setup) }

    var value: ClientSetup { state.withLock { $0 } }
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
