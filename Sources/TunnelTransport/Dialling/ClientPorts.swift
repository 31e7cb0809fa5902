import Glibc
import NIOCore
import NIOPosix
import NameResolution

/// Local ports that a tunnel client may dial from, in the order in which they are tried.
package struct ClientPorts: Sendable, Hashable {
    private let ranges: [ClosedRange<Int>]

    /// - Parameter ranges: of ports from 1 to 65535; nil comes out of none.
    package init?(_ ranges: [ClosedRange<Int>]) {
        guard !ranges.isEmpty else { return nil }
        self.ranges = ranges
    }

    /// How many different ports there are.
    package var count: Int { Set(ranges.lazy.joined()).count }

    /// The port at a place of the order; nil behind the last.
    subscript(place: Int) -> Int? {
        var rest = place
        for range in ranges {
            if rest < range.count { return range.lowerBound + rest }
            rest -= range.count
        }
        return nil
    }

    /// As the configuration writes them: `8000..8100,8300`.
    package var text: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)..\($0.upperBound)" }
            .joined(separator: ",")
    }
}

/// Connects to a host from the first of its local ports that is free. Bound to its event loop.
///
/// Ports that another connection to the same address has are passed over, be it one of ours; so each of several
/// connections finds a port of its own.
final class ClientPortConnector {
    /// Makes a bootstrap with a limit on the time to connect.
    typealias MakeBootstrap = @Sendable (TimeAmount) -> ClientBootstrap

    private let ports: ClientPorts
    private let eventLoop: any EventLoop
    private let deadline: NIODeadline
    private let makeBootstrap: MakeBootstrap
    private let isConnected: EventLoopPromise<any Channel>
    private var addresses: [SocketAddress] = []
    private var firstError: (any Error)?
    /// Whether only root may have one of the ports.
    private var hasForbidden = false
    private var isOver = false

    private init(
        _ ports: ClientPorts, patience: TimeAmount, on eventLoop: any EventLoop,
        _ isConnected: EventLoopPromise<any Channel>, _ makeBootstrap: @escaping MakeBootstrap
    ) {
        self.ports = ports
        self.eventLoop = eventLoop
        self.deadline = .now() + patience
        self.isConnected = isConnected
        self.makeBootstrap = makeBootstrap
    }

    /// - Parameter patience: how long all of it may take, the look-up of the name included.
    static func connect(
        to lookUp: NameLookUp, from ports: ClientPorts, patience: TimeAmount, on eventLoop: any EventLoop,
        _ makeBootstrap: @escaping MakeBootstrap
    ) -> EventLoopFuture<any Channel> {
        let isConnected = eventLoop.makePromise(of: (any Channel).self)
        eventLoop.execute {
            let connector = ClientPortConnector(
                ports, patience: patience, on: eventLoop, isConnected, makeBootstrap)
            connector.start(lookUp.addresses)
        }
        return isConnected.futureResult
    }

    private func start(_ lookUp: EventLoopFuture<[SocketAddress]>) {
        let timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.end(.failure(self.firstError ?? ChannelError.connectTimeout(.nanoseconds(0))))
        }
        isConnected.futureResult.assumeIsolated().whenComplete { _ in timer.cancel() }
        lookUp.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let addresses):
                self.addresses = addresses
                self.tryNext(address: 0, place: 0)
            case .failure(let error):
                self.end(.failure(error))
            }
        }
    }

    private func tryNext(address index: Int, place: Int) {
        guard !isOver else { return }
        guard index < addresses.count else {
            return end(.failure(firstError ?? noPort))
        }
        let address = addresses[index]
        guard let port = ports[place], let local = Self.wildcard(like: address, port: port) else {
            return tryNext(address: index + 1, place: 0)
        }
        makeBootstrap(deadline - .now())
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(to: local)
            .connect(to: address)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    self.end(.success(channel))
                case .failure(let error) where self.isUnusable(port, error):
                    // Behind the present call: there may be thousands of ports that are taken.
                    self.eventLoop.assumeIsolated().execute {
                        self.tryNext(address: index, place: place + 1)
                    }
                case .failure(let error):
                    if self.firstError == nil { self.firstError = error }
                    self.tryNext(address: index + 1, place: 0)
                }
            }
    }

    private func end(_ result: Result<any Channel, any Error>) {
        guard !isOver else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        isOver = true
        isConnected.completeWith(result)
    }

    /// Whether another port may do: this one is taken by a listener, or by a connection between the same two ends, or
    /// only root may have it.
    private func isUnusable(_ port: Int, _ error: any Error) -> Bool {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE, EADDRNOTAVAIL:
            return true
        case EACCES where port < 1024:
            hasForbidden = true
            return true
        default:
            return false
        }
    }

    private var noPort: DialError {
        DialError(
            .noClientPort,
            hasForbidden
                ? "no port of client-ports (\(ports.text)) can be used: those below 1024 are for root, the others in use"
                : "every port of client-ports (\(ports.text)) is in use: name more of them")
    }

    private static func wildcard(like address: SocketAddress, port: Int) -> SocketAddress? {
        try? SocketAddress(ipAddress: address.protocol == .inet6 ? "::" : "0.0.0.0", port: port)
    }
}
