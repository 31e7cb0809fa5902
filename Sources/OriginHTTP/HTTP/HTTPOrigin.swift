package import HTTPMessage
package import NIOCore
package import NameResolution
package import ProxyProtocol
import Synchronization
package import TransportSecurity

/// Times and bounds of the connections to an HTTP origin. For its answer an origin may take as long as the caller
/// waits.
package struct HTTPOriginOptions: Sendable, Hashable {
    /// Most time for name look-up, TCP and TLS together, and for waiting until a connection is free.
    package var connectTimeout: Duration
    /// How long an unused connection is kept; below the 60 s and 75 s after which common servers close it.
    package var idleTimeout: Duration
    /// Most unused connections kept per event loop.
    package var idleConnections: Int
    /// Most connections in use per event loop, attempts included.
    package var activeConnections: Int
    /// Most requests that wait for one of those per event loop; more fail with `tooBusy`.
    package var waitingRequests: Int
    /// How long an HTTP/2 origin may send nothing while exchanges are under way, before it is asked for a sign of life.
    package var pingQuiet: Duration
    /// How long its answer to that may take.
    package var pingPatience: Duration

    package init(
        connectTimeout: Duration = .seconds(10), idleTimeout: Duration = .seconds(55),
        idleConnections: Int = 64, activeConnections: Int = 1024, waitingRequests: Int = 1024,
        pingQuiet: Duration = .seconds(30), pingPatience: Duration = .seconds(15)
    ) {
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.idleConnections = idleConnections
        self.activeConnections = activeConnections
        self.waitingRequests = waitingRequests
        self.pingQuiet = pingQuiet
        self.pingPatience = pingPatience
    }
}

/// Which versions of HTTP are spoken with an origin.
package enum HTTPVersions: Hashable, Sendable {
    /// Over TLS what the origin chooses (ALPN); else HTTP/1.1.
    case automatic
    /// HTTP/1.1 alone.
    case http1
    /// HTTP/2 alone: over TLS the origin must choose it, else it is known to speak it (RFC 9113 §3.3).
    case http2

    /// What is offered over TLS.
    package var offer: ProtocolOffer {
        switch self {
        case .automatic: .http2OrHTTP1
        case .http1: .http1
        case .http2: .http2
        }
    }
}

/// An HTTP server, over TCP, TLS or a Unix socket.
///
/// Connections are kept alive in a small pool per event loop; they close by themselves when unused, so that an
/// origin needs no shutdown; `retire` closes them sooner. A request without body and with an idempotent method is
/// sent once more when a connection that was used before breaks without a byte of an answer; over HTTP/2 also what the
/// origin says it has not looked at. Nothing else is ever repeated.
package final class HTTPOrigin: Origin {
    package let address: OriginAddress

    /// The address's, which a request names unless it is told another.
    private let authority: String
    private let options: HTTPOriginOptions
    private let tls: ClientTLS?
    private let versions: HTTPVersions
    private let names: NameResolver
    private let header: ProxyHeader.Version?
    private let pools = Mutex(Pools())

    /// Those of one event loop.
    private enum LoopPools {
        case ofAll(OriginPool)
        /// Where the origin is told whose a connection is.
        case ofCallers(CallerPools)

        var connections: OriginConnections {
            switch self {
            case .ofAll(let pool): pool.connections
            case .ofCallers(let pools): pools.connections
            }
        }

        func retire() {
            switch self {
            case .ofAll(let pool): pool.retire()
            case .ofCallers(let pools): pools.retire()
            }
        }

        func closeIdle() {
            switch self {
            case .ofAll(let pool): pool.closeIdle()
            case .ofCallers(let pools): pools.closeIdle()
            }
        }
    }

    private struct Pools {
        /// By the event loop; few enough to go through.
        var byLoop: [(loop: ObjectIdentifier, pools: NIOLoopBound<LoopPools>)] = []
        var areRetired = false

        func of(_ eventLoop: ObjectIdentifier) -> NIOLoopBound<LoopPools>? {
            for known in byLoop where known.loop == eventLoop { return known.pools }
            return nil
        }
    }

    /// - Parameters:
    ///   - address: where the server is.
    ///   - tls: whom to trust over `https`.
    ///   - versions: what is spoken with it.
    ///   - header: how each connection begins by naming the caller, which no other uses then; nil where it does not.
    ///   - names: who looks up its name.
    package init(
        _ address: OriginAddress, tls: ClientTLS = ClientTLS(),
        versions: HTTPVersions = .automatic, header: ProxyHeader.Version? = nil,
        options: HTTPOriginOptions = HTTPOriginOptions(), names: NameResolver = .configured
    ) {
        self.address = address
        self.authority = address.authority
        self.options = options
        self.tls = address.isSecure ? tls : nil
        // Nobody tells over plain TCP what the origin speaks.
        self.versions = versions == .automatic && !address.isSecure ? .http1 : versions
        self.names = names
        self.header = header
    }

    package func begin(
        _ request: consuming RequestHead, framing: BodyFraming, host: String?, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) -> any OriginExchange {
        do throws(OriginError) {
            let pool = pool(on: eventLoop, for: request)
            let outgoing = try OutgoingRequest(
                consume request, framing: framing, authority: authority, host: host)
            let exchange = HTTPExchange(consume outgoing, pool: pool, receiver: receiver)
            exchange.start()
            return exchange
        } catch {
            return RefusedExchange(error, on: eventLoop, receiver: receiver)
        }
    }

    package func retire() {
        let pools = self.pools.withLock { pools in
            pools.areRetired = true
            return pools.byLoop.map(\.pools)
        }
        for pool in pools { pool.eventLoop.execute { pool.value.retire() } }
    }

    package func closeIdle() {
        for pool in pools.withLock({ $0.byLoop.map(\.pools) }) {
            pool.eventLoop.execute { pool.value.closeIdle() }
        }
    }

    /// Those of one event loop, the current one.
    package func connections(on eventLoop: any EventLoop) -> OriginConnections {
        let known = pools.withLock { $0.of(ObjectIdentifier(eventLoop)) }
        return known?.value.connections ?? OriginConnections()
    }

    private func pool(on eventLoop: any EventLoop, for request: borrowing RequestHead) -> OriginPool {
        switch pools(on: eventLoop) {
        case .ofAll(let pool): pool
        case .ofCallers(let pools): pools.pool(for: CallerHeader.caller(of: request.fields))
        }
    }

    private func pools(on eventLoop: any EventLoop) -> LoopPools {
        let bound = pools.withLock { pools in
            let key = ObjectIdentifier(eventLoop)
            if let known = pools.of(key) { return known }
            let connector = OriginConnector(
                address: address, tls: tls, versions: versions,
                header: header.map { OriginConnector.Header(version: $0) }, options: options, names: names,
                eventLoop: eventLoop)
            let new: LoopPools =
                header == nil ? .ofAll(OriginPool(connector)) : .ofCallers(CallerPools(connector))
            // Somebody had chosen this origin just before it was retired.
            if pools.areRetired { new.retire() }
            let bound = NIOLoopBound(new, eventLoop: eventLoop)
            pools.byLoop.append((key, bound))
            return bound
        }
        return bound.value
    }
}

/// An exchange that fails before anything is sent.
final class RefusedExchange: OriginExchange {
    private var receiver: (any OriginResponseReceiver)?

    init(_ error: OriginError, on eventLoop: any EventLoop, receiver: any OriginResponseReceiver) {
        self.receiver = receiver
        eventLoop.assumeIsolated().execute {
            defer { self.receiver = nil }
            self.receiver?.originFailed(error)
        }
    }

    var isWritable: Bool { true }
    func send(_ bytes: ByteBuffer) {}
    func end(trailers: HeaderFields?) {}
    func cancel() { receiver = nil }
    func pauseReading() {}
    func resumeReading() {}
}
