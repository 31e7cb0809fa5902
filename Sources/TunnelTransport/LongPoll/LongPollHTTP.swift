package import HTTPMessage
import NIOCore
import TunnelProtocol

/// How the long-poll carrier looks in HTTP. The bytes of its bodies are `LongPollFrame`s.
package enum LongPollHTTP {
    /// Of the path, behind that of the handshake.
    package static let pathSuffix = "/poll"
    /// Names the session, in all requests but the first, and in the answer to that.
    package static let sessionField = "X-Tunnel-Session"
    /// Of the first request, where TLS is to be spoken inside the carrier.
    package static let innerField = "X-Tunnel-Inner"
    package static let innerTLS = "tls"
    package static let contentType = "application/octet-stream"
    /// So that bytes are passed on as they come.
    package static let streamType = "text/event-stream"
    /// Nothing may be kept, or changed (RFC 9111 §5.2).
    package static let cacheControl = "no-store, no-transform"

    /// The head of a request.
    static func head(to target: TunnelDialler.Target, bodyBytes: Int, fields: HeaderFields) -> RequestHead {
        let hosted = target.authority
        // No answer is another's: the address of each is its own.
        var path = target.path + pathSuffix + "?" + String(UInt64.random(in: .min ... .max), radix: 36)
        var all = HeaderFields()
        if let proxy = target.plainProxy {
            path = "http://\(hosted)\(path)"
            if let authorization = proxy.authorization { all.append(.proxyAuthorization, authorization) }
        }
        all.append(.host, hosted)
        all.append(named: "Content-Type", contentType)
        all.append(.contentLength, String(bodyBytes))
        all.append(named: "Cache-Control", cacheControl)
        all.append(named: "Accept-Encoding", "identity")
        for (name, value) in fields.pairs { all.append(named: name, value) }
        return RequestHead(method: "POST", target: path, fields: all)
    }

    /// The head of an answer.
    ///
    /// - Parameter length: of its body; nil where it goes on.
    package static func answerHead(type: String, length: Int?) -> ResponseHead {
        var fields = HeaderFields([.contentType: type])
        if let length { fields.append(.contentLength, String(length)) }
        fields.append(named: "Cache-Control", cacheControl)
        // So that nginx passes on what is written.
        fields.append(named: "X-Accel-Buffering", "no")
        return ResponseHead(status: 200, fields: fields)
    }
}
