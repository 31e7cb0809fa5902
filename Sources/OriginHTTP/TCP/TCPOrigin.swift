package import HTTPMessage
package import NIOCore
package import NameResolution

/// Any service that speaks over TCP: for each raw stream (`RawStream`) a connection of its own, whose bytes nobody looks at.
package final class TCPOrigin: Origin {
    private let address: OriginAddress
    private let connectTimeout: Duration
    private let names: NameResolver
    private let opening: Opening

    /// What a connection begins with, in front of all that its caller sends, such as a header that says who that is.
    package typealias Opening = @Sendable (RawStream.Endpoints) -> ByteBuffer

    /// - Parameters:
    ///   - host: a name, or an IP address without brackets.
    ///   - connectTimeout: for name look-up and connection together.
    ///   - names: who looks up the name.
    ///   - opening: nothing where no bytes are made.
    package init(
        host: String, port: Int, connectTimeout: Duration = HTTPOriginOptions().connectTimeout,
        names: NameResolver = .configured, opening: @escaping Opening = { _ in ByteBuffer() }
    ) {
        address = OriginAddress(isSecure: false, host: host, port: port)
        self.connectTimeout = connectTimeout
        self.names = names
        self.opening = opening
    }

    package func begin(
        _ request: consuming RequestHead, framing: BodyFraming, host: String?, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) -> any OriginExchange {
        guard request.asksForRawStream else {
            let error = OriginError(.badRequest, "the origin tcp://\(address.hostAndPort) speaks no HTTP")
            return RefusedExchange(error, on: eventLoop, receiver: receiver)
        }
        let exchange = TCPExchange(
            to: address, beginningWith: opening(RawStream.Endpoints(request)), on: eventLoop,
            receiver: receiver)
        exchange.connect(within: TimeAmount(connectTimeout), names: names)
        return exchange
    }
}
