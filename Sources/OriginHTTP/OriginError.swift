package import AgentStatus

/// Why an exchange has no whole response.
package struct OriginError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    package enum Code: Hashable, Sendable, CaseIterable {
        /// Nobody listens at the origin's address.
        case refused
        /// No route, network down, or a local error while connecting.
        case unreachable
        /// The host name has no address.
        case unresolvable
        /// Connecting took longer than allowed.
        case timedOut
        /// No TLS session: an untrusted certificate, a wrong name, or no TLS on the other side.
        case tlsFailed
        /// The origin closed the connection before the response was whole.
        case closedEarly
        /// What the origin sent is no HTTP response.
        case malformed
        /// The request cannot be sent: a body that differs from its announced length, `CONNECT`, …
        case badRequest
        /// The version of HTTP that the origin speaks cannot carry the request.
        case unsupported
        /// Too many requests use or wait for connections to the origin.
        case tooBusy
        /// The process may open no more files, nor connections.
        case noDescriptors
        /// A file or folder cannot be read.
        case unreadable
    }

    /// Whether it passes by itself: the request was not looked at, and may be sent again in a moment.
    package var isPassing: Bool { code == .tooBusy || code == .noDescriptors }

    /// The status of an answer that tells of it.
    package var status: Int { isPassing ? 503 : code == .unsupported ? 501 : 502 }

    package let code: Code
    /// What happened and where (`host:port`), in words for a person; no secret, no trailing period.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// The code for logs and metrics.
    package var errorCode: ErrorCode {
        switch code {
        case .refused: .refused
        case .unreachable: .unreachable
        case .unresolvable: .unresolvable
        case .timedOut: .timedOut
        case .tlsFailed: .tlsFailed
        case .closedEarly: .closedEarly
        case .malformed: .malformed
        case .badRequest: .badRequest
        case .unsupported: .unsupported
        case .tooBusy: .tooBusy
        case .noDescriptors: .noDescriptors
        case .unreadable: .unreadable
        }
    }
}
