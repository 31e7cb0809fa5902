import HTTPMessage
import NIOCore
import ProxyProtocol

/// Who a connection to an origin is for, as a PROXY header tells the origin at its start.
enum CallerHeader {
    /// The address that counts as the caller's in what the tunnel server wrote into `X-Forwarded-For`. The server adds the
    /// address that connected to it, and leaves what stands before that only where it trusts that one: then the entry
    /// before is the caller.
    ///
    /// - Returns: nil where nobody is named.
    static func caller(of fields: HeaderFields) -> ProxyEndpoint? {
        let entries = fields.values(.xForwardedFor).flatMap { $0.split(separator: ",").suffix(2) }.suffix(2)
        return entries.lazy.compactMap { ProxyEndpoint(entry: $0) }.first
    }

    /// - Parameters:
    ///   - caller: nil for nobody: a connection of ours.
    ///   - destination: of the connection; nil where it has no IP address.
    static func bytes(
        _ version: ProxyHeader.Version, for caller: ProxyEndpoint?, to destination: SocketAddress?
    ) -> ByteBuffer {
        let place = destination.flatMap { destination in
            destination.ipAddress.flatMap {
                ProxyEndpoint($0, port: UInt16(truncatingIfNeeded: destination.port ?? 0))
            }
        }
        return bytes(version, for: caller, at: place)
    }

    /// - Parameters:
    ///   - caller: nil for nobody: a connection of ours.
    ///   - place: to which it connected; nil where nobody knows.
    static func bytes(
        _ version: ProxyHeader.Version, for caller: ProxyEndpoint?, at place: ProxyEndpoint?
    ) -> ByteBuffer {
        guard let caller else { return ProxyHeader(ends: nil).encoded(version) }
        // A Unix socket has none: then it is nowhere, in the family of the caller.
        let nowhere = caller.address.map { _ in UInt8(0) }
        guard let destination = place ?? ProxyEndpoint(address: nowhere, port: 0) else {
            return ProxyHeader(ends: nil).encoded(version)
        }
        return ProxyHeader(ends: .init(source: caller, destination: destination)).encoded(version)
    }
}

/// The first on a connection to an origin: sends the PROXY header in front of everything else, TLS too, and gives way.
final class CallerHeaderSender: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let version: ProxyHeader.Version
    private let caller: ProxyEndpoint?

    init(_ version: ProxyHeader.Version, for caller: ProxyEndpoint?) {
        self.version = version
        self.caller = caller
    }

    func channelActive(context: ChannelHandlerContext) {
        let bytes = CallerHeader.bytes(version, for: caller, to: context.remoteAddress)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        context.fireChannelActive()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

/// The connections from one event loop to an origin that is told whose each of them is: a pool for each caller, of which those
/// used last keep idle connections.
final class CallerPools {
    /// Callers whose connections are kept while they are idle.
    private static let most = 64

    private let connector: OriginConnector
    private var pools: [ProxyEndpoint?: OriginPool] = [:]
    /// The one used last at the end.
    private var order: [ProxyEndpoint?] = []
    private var areRetired = false

    init(_ connector: OriginConnector) { self.connector = connector }

    func pool(for caller: ProxyEndpoint?) -> OriginPool {
        if let pool = pools[caller] {
            if order.last != caller {
                order.removeAll { $0 == caller }
                order.append(caller)
            }
            return pool
        }
        var connector = connector
        connector.header?.caller = caller
        let pool = OriginPool(connector)
        if areRetired { pool.retire() }
        pools[caller] = pool
        order.append(caller)
        // Its exchanges go on, and keep it.
        if order.count > Self.most { pools.removeValue(forKey: order.removeFirst())?.retire() }
        return pool
    }

    /// As an `OriginPool` does; of those who called lately.
    var connections: OriginConnections {
        var all = OriginConnections()
        for pool in pools.values { all += pool.connections }
        return all
    }

    /// As an `OriginPool` does.
    func closeIdle() { for pool in pools.values { pool.closeIdle() } }

    /// As an `OriginPool` does.
    func retire() {
        areRetired = true
        for pool in pools.values { pool.retire() }
    }
}
