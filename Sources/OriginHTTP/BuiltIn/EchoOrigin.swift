package import HTTPMessage
package import NIOCore

/// `builtin:echo`: sends a request's body back as it comes, or tells what the request was.
package struct EchoOrigin: Origin {
    package init() {}

    package func begin(
        _ request: RequestHead, framing: BodyFraming, host: String?, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) -> any OriginExchange {
        EchoExchange(request, framing: framing, answer: LocalAnswer(on: eventLoop, receiver: receiver))
    }

    /// The request as text: request line and fields, without the values that are secrets.
    static func describe(_ request: RequestHead) -> String {
        let secrets: Set = [
            "authorization", "proxy-authorization", "cookie", "x-token", "x-tunnel-authorization",
        ]
        let fields = request.fields.pairs.map { name, value in
            "\(name): \(secrets.contains(name.lowercased()) ? "(hidden)" : value)\n"
        }
        return "\(request.method) \(request.target)\n\(fields.joined())"
    }
}

private final class EchoExchange: OriginExchange {
    private let answer: LocalAnswer
    /// Bytes of the body that may still come; nil: any number.
    private var remaining: Int?
    private var sendsBack = false

    init(_ request: RequestHead, framing: BodyFraming, answer: LocalAnswer) {
        self.answer = answer
        if !request.upgradeOffer.isEmpty {
            answer.send(
                OwnAnswer(426, text: "builtin:echo speaks no other protocol than HTTP\n", isCacheable: true),
                to: request)
        } else if framing == .none || request.method == "HEAD" {
            answer.send(OwnAnswer(200, text: EchoOrigin.describe(request), isCacheable: true), to: request)
        } else {
            sendBack(request, framing: framing)
        }
    }

    private func sendBack(_ request: RequestHead, framing: BodyFraming) {
        if request.fields.list(.expect, contains: "100-continue") {
            answer.answer(ResponseHead(status: 100), framing: .none)
        }
        var fields = HeaderFields()
        fields.append(.contentType, request.fields[.contentType] ?? "application/octet-stream")
        if case .length(let length) = framing {
            fields.append(.contentLength, String(length))
            remaining = length
        }
        sendsBack = true
        answer.answer(ResponseHead(status: 200, fields: fields), framing: framing)
    }

    var isWritable: Bool { answer.isWritable }

    func send(_ bytes: ByteBuffer) {
        guard sendsBack else { return }
        if let remaining {
            guard bytes.readableBytes <= remaining else {
                return refuse("request body longer than its Content-Length")
            }
            self.remaining = remaining - bytes.readableBytes
        }
        answer.send(bytes)
        if remaining == 0 { end(trailers: nil) }
    }

    func end(trailers: HeaderFields?) {
        guard sendsBack else { return }
        guard remaining ?? 0 == 0 else { return refuse("request body shorter than its Content-Length") }
        sendsBack = false
        answer.end(trailers: trailers)
    }

    func cancel() { answer.cancel() }
    func pauseReading() { answer.pause() }
    func resumeReading() { answer.resume() }

    private func refuse(_ reason: String) {
        sendsBack = false
        answer.fail(.badRequest, reason)
    }
}
