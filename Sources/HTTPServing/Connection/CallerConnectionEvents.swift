import HTTPMessage
import NIOCore

/// What a connection's machine tells of.
extension CallerConnectionMachine {
    /// What came next of what was received. Moved, not copied: a head has many parts.
    enum Event: ~Copyable {
        /// Nothing that there is use for now.
        case nothing
        /// Part of a head: the rest is waited for until then.
        case partOfHead(until: NIODeadline)
        /// `began`, or an answer of our own, is what comes of it.
        case request(RequestHead, BodyFraming)
        case body(ByteBuffer, Exchange)
        case requestEnd(trailers: HeaderFields?, Exchange)
        /// Part of a request whose answer is out.
        case rest
        /// The end of one: the next request is waited for.
        case restEnd
        case raw(ByteBuffer, Exchange)
        /// The caller's raw direction is over, and everything has been taken.
        case rawEnd(Exchange)
        /// What stands in place of a head makes no sense.
        ///
        /// - Parameter method: of the request, as far as its answer depends on it.
        case malformedHead(HTTPMessageError, method: String, ForeignPreface?)
        /// The connection speaks HTTP/2, of which that came.
        case http2(ByteBuffer)
        case malformedBody(HTTPMessageError, Exchange)
        case malformedRest
    }

    /// What is due at a time.
    enum Due {
        case nothing(until: NIODeadline)
        /// The exchange keeps its own time.
        case exchange(Exchange)
        /// A head began and did not end.
        case headTimeout(method: String)
        case idle
        /// The caller has not read its answers for too long.
        case stuck
        /// The rest of a request did not come.
        case restTimeout
        case farewell
    }

    /// What is to be done where the server stops.
    enum Parting {
        case nothing
        case checkTime
        case close
        /// It is the exchange that ends.
        case exchange(Exchange)
    }

    /// What the end of the caller's direction means.
    enum InputEnd { case close, goesOn, workOff }

    /// The method of a request whose head makes no sense, or is not whole, as far as the answer depends on it: one to
    /// HEAD has no body, or its caller takes that for the next answer (RFC 9110 §9.3.2).
    static func method(of request: ByteBufferView) -> String {
        let bytes = request.drop { $0 == 0x0d || $0 == 0x0a }
        return bytes.starts(with: "HEAD ".utf8) ? "HEAD" : "GET"
    }
}
