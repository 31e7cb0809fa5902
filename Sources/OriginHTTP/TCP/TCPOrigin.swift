package import HTTPMessage
package import NIOCore
package import NameResolution
package import ProxyProtocol

/// Any service that speaks over TCP: for each raw stream (`RawStream`) a connection of its own, whose bytes nobody looks at.
package final class TCPOrigin: Origin {
    private let address: OriginAddress
    private let connectTimeout: Duration
    private let names: NameResolver
    private let header: ProxyHeader.Version?

    /// - Parameters:
    ///   - host: a name, or an IP address without brackets.
    ///   - connectTimeout: for name look-up and connection together.
    ///   - names: who looks up the name.
    ///   - header: how each connection begins by naming its caller; nil where it does not.
    package init(
        host: String, port: Int, connectTimeout: Duration = HTTPOriginOptions().connectTimeout,
        names: NameResolver = .configured, header: ProxyHeader.Version? = nil
    ) {
        address = OriginAddress(isSecure: false, host: host, port: port)
        self.connectTimeout = connectTimeout
        self.names = names
        self.header = header
    }

    private func opening(_ ends: RawStream.Endpoints) -> ByteBuffer {
        guard let header else { return ByteBuffer() }
        return CallerHeader.bytes(
            header, for: ends.caller.flatMap { ProxyEndpoint(entry: $0) },
            at: ends.local.flatMap { ProxyEndpoint(entry: $0) })
    }

    package func begin(
        _ request: consuming RequestHead, framing: BodyFraming, host: String?, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) -> any OriginExchange {
        guard request.asksForRawStream else {
            let error = OriginError(.badRequest, "the origin tcp://\(address.place) speaks no HTTP")
            return RefusedExchange(error, on: eventLoop, receiver: receiver)
        }
        let exchange = TCPExchange(
            to: address, beginningWith: opening(RawStream.Endpoints(request)), on: eventLoop,
            receiver: receiver)
        exchange.connect(within: TimeAmount(connectTimeout), names: names)
        return exchange
    }
}
