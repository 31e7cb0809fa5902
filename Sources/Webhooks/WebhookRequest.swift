import AgentStatus
import HTTPMessage
import NIOCore
import TunnelConfiguration
import X509

/// One event as it goes to a webhook.
struct WebhookRequest: Sendable {
    let head: RequestHead
    let body: ByteBuffer

    /// - Parameters:
    ///   - now: seconds since 1970, of this try.
    ///   - software: program and version.
    init(_ event: AgentEvent, to webhook: WebhookConfiguration, now: Int, software: String) {
        let json = (try? JSONText.bytes(of: event)) ?? Array("{}".utf8)
        var fields = HeaderFields([.contentType: OwnAnswer.MediaType.json.rawValue])
        fields.append(named: "User-Agent", software.replacing(" ", with: "/"))
        if let credentials = webhook.url.credentials {
            fields.append(
                .authorization,
                BasicAuthorization.encode(user: credentials.user, password: credentials.password.secret))
        }
        fields.append(named: "X-Wstunnel-Event", event.kind.rawValue)
        fields.append(named: "X-Wstunnel-Delivery", "\(event.id)")
        fields.append(named: "X-Wstunnel-Timestamp", "\(now)")
        fields.append(
            named: "X-Wstunnel-Signature",
            "sha256=\(Self.signature(of: json, at: now, secret: webhook.secret.secret))")
        head = RequestHead(method: "POST", target: webhook.url.target.secret, fields: fields)
        body = ByteBuffer(bytes: json)
    }

    /// Who knows the secret can tell that these bytes were sent then: HMAC-SHA256 of the time in seconds since 1970, a dot, and
    /// the body; in hexadecimal digits.
    static func signature(of body: [UInt8], at seconds: Int, secret: String) -> String {
        HMAC.sha256(Array("\(seconds).".utf8) + body, key: Array(secret.utf8)).map(\.hexadecimalText).joined()
    }
}
