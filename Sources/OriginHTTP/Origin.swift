package import HTTPMessage
package import NIOCore

/// Where a tunnel client hands requests: an HTTP server (`HTTPOrigin`), a static folder (`FileOrigin`) or the
/// built-in echo (`EchoOrigin`).
///
/// An origin is made from configuration and used on any event loop. Everything of one exchange happens on the
/// loop it began on: no locks, no hops.
package protocol Origin: Sendable {
    /// Starts an exchange. Called on `eventLoop`, which is also where all else of the exchange happens.
    ///
    /// `receiver` is kept until the exchange is over, and never called before this returns.
    ///
    /// - Parameter request: parsed, freed of `X-Token` and `X-Host`. Fields of one hop are taken out here;
    ///   `Connection: upgrade` and `Upgrade` are honoured, for protocols of which an `UpgradeOffer` may speak.
    /// - Parameter framing: of the request's body; `.untilClose` is an error.
    /// - Parameter host: what `Host` says in place of the request's; nil for the origin's own.
    func begin(
        _ request: consuming RequestHead, framing: BodyFraming, host: String?, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) -> any OriginExchange
    /// No exchange is to begin any more: closes connections that wait for one, and others when they are through.
    /// Exchanges under way go on.
    func retire()
    /// Closes connections that wait for an exchange; the next one makes another.
    func closeIdle()
}

extension Origin {
    /// Most origins keep nothing between two exchanges.
    package func retire() {}
    package func closeIdle() {}
}

/// Who hears the answer of an origin. After `originFailed` nothing more comes, nor after `originEnded`, but for one
/// case: after 101, an origin that closed its direction can still fail as long as the other one is open.
package protocol OriginResponseReceiver: AnyObject {
    /// A head came: any number of interim ones (1xx), then the final one.
    ///
    /// The fields are as the origin sent them, those of its hop included. `framing` tells how the body that
    /// follows is delimited; after 101 it is `.untilClose`: raw bytes follow in both directions.
    func originAnswered(_ head: consuming ResponseHead, framing: BodyFraming)
    /// Some bytes of the body, freed of chunk framing and never empty.
    func originSent(_ bytes: ByteBuffer)
    /// The response is whole; after 101, the origin closed its direction and may still listen.
    func originEnded(trailers: HeaderFields?)
    /// There will be no whole response.
    func originFailed(_ error: OriginError)
    /// `isWritable` became true again.
    func originBecameWritable()
}

/// One request and its response, as the sender of the request sees them.
package protocol OriginExchange: AnyObject {
    /// False: stop sending until `originBecameWritable`. What is sent nevertheless is kept in memory.
    var isWritable: Bool { get }
    /// What was sent and the kernel has not taken.
    var unsentBytes: Int { get }
    /// False: nothing of the request has left yet, nor will it if the exchange fails now.
    var hasBegun: Bool { get }
    /// Sends a piece of the request's body; after 101, raw bytes.
    ///
    /// More than the framing allows fails the exchange: it would be read as another request.
    func send(_ bytes: ByteBuffer)
    /// The request is whole; after 101, half-closes. Without a body it may be left out.
    ///
    /// A body shorter than its announced length fails the exchange. Trailers go only with `.chunked`.
    func end(trailers: HeaderFields?)
    /// Gives the exchange up. The receiver is let go and hears nothing more; a connection in use is closed.
    func cancel()
    /// Stops reading the response: what was read from the socket already is kept until `resumeReading`.
    func pauseReading()
    /// Goes on after `pauseReading`.
    func resumeReading()
}

extension OriginExchange {
    /// Who takes nothing piece by piece is asked `isWritable` alone.
    package var unsentBytes: Int { .max }
    /// What is answered here begins at once.
    package var hasBegun: Bool { true }
}
