package import struct NIOCore.ByteBuffer

/// What a proxy says of a connection in front of everything else that goes over it: whose it is
/// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
package struct ProxyHeader: Hashable, Sendable {
    /// How it is written.
    package enum Version: String, CaseIterable, Hashable, Sendable {
        /// A line of text.
        case v1
        /// Binary.
        case v2
    }

    /// Both ends of a connection.
    package struct Ends: Hashable, Sendable {
        /// Whose connection it is.
        package var source: ProxyEndpoint
        /// Where that one connected.
        package var destination: ProxyEndpoint

        package init(source: ProxyEndpoint, destination: ProxyEndpoint) {
            self.source = source
            self.destination = destination
        }
    }

    /// What bytes are, as far as they came.
    package enum Reading: Hashable, Sendable {
        /// The beginning of a header, or nothing yet.
        case incomplete
        /// No header: the connection begins with something else.
        case absent
        /// A header, which takes so many bytes.
        case whole(ProxyHeader, length: Int)
    }

    /// The most bytes that a header may take. Senders are asked to stay within 536; certificates and the like need more.
    package static let longest = 4096
    /// Most bytes of version 1, the end of the line included.
    static let longestLine = 107

    /// Nil where the proxy speaks for nobody (`LOCAL`: its own connection, to see whether we live), or for somebody who has no
    /// IP address (`UNKNOWN`, a Unix socket): then the connection is whose it looks.
    package var ends: Ends?

    package init(ends: Ends?) { self.ends = ends }

    /// Looks at what came first on a connection. The cost does not grow with the pieces in which it came.
    ///
    /// - Throws: when it is a header, or begins like one, and makes no sense.
    package static func read(_ bytes: ByteBuffer) throws(ProxyHeaderError) -> Reading {
        let view = bytes.readableBytesView
        // One compare tells nearly everything else apart.
        guard let first = view.first else { return .incomplete }
        switch first {
        case ProxyHeaderLine.signature[0]:
            guard let isWhole = begins(view, with: ProxyHeaderLine.signature) else { return .absent }
            return isWhole ? try ProxyHeaderLine.read(view) : .incomplete
        case ProxyHeaderBlock.signature[0]:
            guard let isWhole = begins(view, with: ProxyHeaderBlock.signature) else { return .absent }
            return isWhole ? try ProxyHeaderBlock.read(bytes) : .incomplete
        default:
            return .absent
        }
    }

    /// - Returns: whether the signature is whole; nil when the bytes begin otherwise.
    private static func begins(_ view: some Collection<UInt8>, with signature: [UInt8]) -> Bool? {
        let start = view.prefix(signature.count)
        guard start.elementsEqual(signature.prefix(start.count)) else { return nil }
        return start.count == signature.count
    }

    /// The bytes that say it.
    package func encoded(_ version: Version) -> ByteBuffer {
        switch version {
        case .v1: ProxyHeaderLine.encoded(self)
        case .v2: ProxyHeaderBlock.encoded(self)
        }
    }
}

/// Why what begins like a PROXY header is none.
package struct ProxyHeaderError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, in words for a person.
    package let description: String

    init(_ description: String) { self.description = description }
}
