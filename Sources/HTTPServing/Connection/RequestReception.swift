package import HTTPMessage
package import NIOCore

/// Whom a connection is for: all that its handler knows of the server behind it. One for each connection, used on
/// its event loop.
package protocol RequestReception: AnyObject {
    /// Time that a caller may take nothing of what waits for it.
    var stall: TimeAmount { get }
    /// Whether the server stops: each connection ends behind its next answer.
    var isStopping: Bool { get }
    /// Whether each connection ends behind its next answer, though the server goes on.
    var keepsNoConnections: Bool { get }

    /// A connection is there.
    ///
    /// - Parameter channel: whose addresses tell who it is.
    func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome
    /// It is over, or another handler's. Called once for each that was told to stay.
    func left(_ connection: any CallerConnection)
    /// A request came.
    ///
    /// - Parameter stream: where the answer goes.
    func receive(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome
    /// What came is no request: the answer, behind which the connection ends.
    func refuse(_ fault: RequestFault) -> OwnAnswer
}

extension RequestReception {
    package var keepsNoConnections: Bool { false }
}

/// What becomes of a connection that is there.
package enum Welcome {
    case stays
    /// With an answer, before any request.
    case isRefused(OwnAnswer)
    /// Without a word.
    case isClosed
}

/// What comes of a request.
package enum RequestOutcome {
    /// A whole answer, at once.
    ///
    /// - Parameter closes: whether the connection ends behind it, though nothing else ends it.
    case answer(OwnAnswer, closes: Bool)
    case exchange(any ServedExchange)
    /// The connection asks to leave HTTP.
    case upgrade(UpgradeLook)
}

/// Looks at a connection that asked to leave HTTP, and tells, once, what comes of it.
package typealias UpgradeLook = (any Channel, _ tell: @escaping (UpgradeVerdict) -> Void) -> Void

/// What comes of a connection that asked to leave HTTP.
package enum UpgradeVerdict {
    /// It may not, and ends behind the answer.
    case refused(OwnAnswer)
    /// It may, and is no longer the handler's, which gives way to others: called with what came behind the request.
    case leavesHTTP((ChannelHandlerContext, CallerHandler, ByteBuffer) -> Void)
}

/// Why what came is no request.
package enum RequestFault {
    /// The head did not come in time.
    case headTimeout
    /// - Parameter preface: of the protocol that was spoken instead, where that is known.
    case malformed(HTTPMessageError, ForeignPreface?)
}
