/// The field names this program acts on; every other name is `.other` and passes through untouched.
///
/// A name is recognised once, while a head is parsed, so that later look-ups compare one byte.
package enum FieldName: UInt8, Sendable, CaseIterable {
    case other
    case authorization
    case cfConnectingIP
    case connection
    case contentLength
    case contentLocation
    case contentType
    case date
    case destination
    case expect
    case forwarded
    case host
    case http2Settings
    case `if`
    case keepAlive
    case location
    case origin
    case proxy
    case proxyAuthenticate
    case proxyAuthorization
    case proxyConnection
    case referer
    case refresh
    case retryAfter
    case secWebSocketAccept
    case secWebSocketKey
    case secWebSocketProtocol
    case secWebSocketVersion
    case setCookie
    case te
    case traceparent
    case tracestate
    case trailer
    case transferEncoding
    case trueClientIP
    case upgrade
    case via
    case wwwAuthenticate
    case xClientCertificateName
    case xClientVersion
    case xForwardedFor
    case xForwardedHost
    case xForwardedPort
    case xForwardedProto
    case xHost
    case xRealIP
    case xToken
    case xTunnelAuthorization
    case xTunnelHost
    case xTunnelPublic

    /// The name as we write it.
    package var text: StaticString {
        switch self {
        case .other: ""
        case .authorization: "Authorization"
        case .cfConnectingIP: "CF-Connecting-IP"
        case .connection: "Connection"
        case .contentLength: "Content-Length"
        case .contentLocation: "Content-Location"
        case .contentType: "Content-Type"
        case .date: "Date"
        case .destination: "Destination"
        case .expect: "Expect"
        case .forwarded: "Forwarded"
        case .host: "Host"
        case .http2Settings: "HTTP2-Settings"
        case .if: "If"
        case .keepAlive: "Keep-Alive"
        case .location: "Location"
        case .origin: "Origin"
        case .proxy: "Proxy"
        case .proxyAuthenticate: "Proxy-Authenticate"
        case .proxyAuthorization: "Proxy-Authorization"
        case .proxyConnection: "Proxy-Connection"
        case .referer: "Referer"
        case .refresh: "Refresh"
        case .retryAfter: "Retry-After"
        case .secWebSocketAccept: "Sec-WebSocket-Accept"
        case .secWebSocketKey: "Sec-WebSocket-Key"
        case .secWebSocketProtocol: "Sec-WebSocket-Protocol"
        case .secWebSocketVersion: "Sec-WebSocket-Version"
        case .setCookie: "Set-Cookie"
        case .te: "TE"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .trailer: "Trailer"
        case .transferEncoding: "Transfer-Encoding"
        case .trueClientIP: "True-Client-IP"
        case .upgrade: "Upgrade"
        case .via: "Via"
        case .wwwAuthenticate: "WWW-Authenticate"
        case .xClientCertificateName: "X-Client-Certificate-Name"
        case .xClientVersion: "X-Client-Version"
        case .xForwardedFor: "X-Forwarded-For"
        case .xForwardedHost: "X-Forwarded-Host"
        case .xForwardedPort: "X-Forwarded-Port"
        case .xForwardedProto: "X-Forwarded-Proto"
        case .xHost: "X-Host"
        case .xRealIP: "X-Real-IP"
        case .xToken: "X-Token"
        case .xTunnelAuthorization: "X-Tunnel-Authorization"
        case .xTunnelHost: "X-Tunnel-Host"
        case .xTunnelPublic: "X-Tunnel-Public"
        }
    }

    /// The fields that belong to one hop alone and never cross the tunnel (RFC 9110 §7.6.1, RFC 7540 §3.2.1).
    static let hopByHop: FieldNameSet = [
        .connection, .http2Settings, .keepAlive, .proxyAuthenticate, .proxyAuthorization, .proxyConnection,
        .te,
        .trailer, .transferEncoding, .upgrade,
    ]

    /// Whether the field belongs to one hop alone.
    package var isHopByHop: Bool { Self.hopByHop.contains(self) }

    /// Recognises a name in any letter case.
    package init(_ name: UnsafeRawBufferPointer) {
        guard let first = name.first else {
            self = .other
            return
        }
        let candidate = Self.candidate(name, first: first | 0x20)
        guard candidate != .other else {
            self = .other
            return
        }
        self = candidate.text.equalsIgnoringCase(name) ? candidate : .other
    }

    /// Length and first letter tell the known names apart, but for a few; `FieldNameTests` holds that.
    private static func candidate(_ name: UnsafeRawBufferPointer, first: UInt8) -> FieldName {
        switch (name.count, first) {
        case (2, UInt8(ascii: "i")): .if
        case (2, UInt8(ascii: "t")): .te
        case (3, UInt8(ascii: "v")): .via
        case (4, UInt8(ascii: "d")): .date
        case (4, UInt8(ascii: "h")): .host
        case (5, UInt8(ascii: "p")): .proxy
        case (6, UInt8(ascii: "e")): .expect
        case (6, UInt8(ascii: "o")): .origin
        case (6, UInt8(ascii: "x")): .xHost
        case (7, UInt8(ascii: "r")): name[3] | 0x20 == UInt8(ascii: "e") ? .referer : .refresh
        case (7, UInt8(ascii: "t")): .trailer
        case (7, UInt8(ascii: "u")): .upgrade
        case (7, UInt8(ascii: "x")): .xToken
        case (8, UInt8(ascii: "l")): .location
        case (9, UInt8(ascii: "f")): .forwarded
        case (9, UInt8(ascii: "x")): .xRealIP
        case (10, UInt8(ascii: "c")): .connection
        case (10, UInt8(ascii: "k")): .keepAlive
        case (10, UInt8(ascii: "s")): .setCookie
        case (10, UInt8(ascii: "t")): .tracestate
        case (11, UInt8(ascii: "d")): .destination
        case (11, UInt8(ascii: "r")): .retryAfter
        case (11, UInt8(ascii: "t")): .traceparent
        case (12, UInt8(ascii: "c")): .contentType
        case (13, UInt8(ascii: "a")): .authorization
        case (13, UInt8(ascii: "x")): .xTunnelHost
        case (14, UInt8(ascii: "c")): .contentLength
        case (14, UInt8(ascii: "h")): .http2Settings
        case (14, UInt8(ascii: "t")): .trueClientIP
        case (15, UInt8(ascii: "x")): name[2] | 0x20 == UInt8(ascii: "f") ? .xForwardedFor : .xTunnelPublic
        case (16, UInt8(ascii: "c")): name[1] | 0x20 == UInt8(ascii: "f") ? .cfConnectingIP : .contentLocation
        case (16, UInt8(ascii: "p")): .proxyConnection
        case (16, UInt8(ascii: "w")): .wwwAuthenticate
        case (16, UInt8(ascii: "x")):
            switch name[12] | 0x20 {
            case UInt8(ascii: "h"): .xForwardedHost
            case UInt8(ascii: "p"): .xForwardedPort
            default: .xClientVersion
            }
        case (17, UInt8(ascii: "s")): .secWebSocketKey
        case (17, UInt8(ascii: "t")): .transferEncoding
        case (17, UInt8(ascii: "x")): .xForwardedProto
        case (18, UInt8(ascii: "p")): .proxyAuthenticate
        case (19, UInt8(ascii: "p")): .proxyAuthorization
        case (20, UInt8(ascii: "s")): .secWebSocketAccept
        case (21, UInt8(ascii: "s")): .secWebSocketVersion
        case (22, UInt8(ascii: "s")): .secWebSocketProtocol
        case (22, UInt8(ascii: "x")): .xTunnelAuthorization
        case (25, UInt8(ascii: "x")): .xClientCertificateName
        default: .other
        }
    }
}

extension StaticString {
    /// Compares with ASCII bytes in any letter case.
    func equalsIgnoringCase(_ bytes: UnsafeRawBufferPointer) -> Bool {
        UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount).equalsIgnoringCase(bytes)
    }
}

extension UInt64 {
    /// Its bytes with `A`…`Z` mapped to `a`…`z`, others as they are: the high bit of each tells whether it is one of those, as
    /// sums of seven bits do not reach the next byte.
    var asciiLowercased: UInt64 {
        let (ones, highBits): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        let low = self & ~highBits
        let fromA = low &+ ones &* (0x80 - 0x41)
        let behindZ = low &+ ones &* (0x80 - 0x5b)
        return self | (fromA & ~behindZ & ~self & highBits) >> 2
    }
}
