import HTTPMessage
import HTTPServing
import NIOCore
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// Tunnel clients that speak TLS inside what carries the tunnel: who they are is said in there alone.
extension TunnelHandshake {
    func asksForInnerTLS(_ head: RequestHead) -> Bool {
        head.fields.list(.secWebSocketProtocol, contains: "wstunnel.tls")
    }

    /// Makes the connection one whose messages carry TLS.
    func upgradeToInnerTLS(_ head: RequestHead, _ framing: BodyFraming, listener: Int) -> UpgradeLook {
        { channel, tell in
            guard let tls = settings.innerTLS else {
                return tell(.refused(refused(.noInnerTLS, head, on: channel.eventLoop)))
            }
            guard head.method == "GET", framing == .none, !core.isStopping else {
                return tell(.refused(refused(.notWebSocket, head, on: channel.eventLoop)))
            }
            WebSocketHandshake.accept(head, subprotocol: WebSocketHandshake.innerTLS, on: channel)
                .assumeIsolated().whenSuccess { answer in
                    guard let answer else {
                        return tell(.refused(refused(.notWebSocket, head, on: channel.eventLoop)))
                    }
                    tell(.leavesHTTP { enterPipe(answer, tls, listener, in: $0, from: $1, leftover: $2) })
                }
        }
    }

    private func refused(_ refusal: Refusal, _ head: RequestHead, on eventLoop: any EventLoop) -> OwnAnswer {
        report(refusal, head, on: eventLoop)
        return refusal.answer
    }

    private func enterPipe(
        _ answer: ResponseHead, _ tls: ServerTLS, _ listener: Int, in context: ChannelHandlerContext,
        from handler: CallerHandler, leftover: ByteBuffer
    ) {
        var preface = ByteBuffer()
        preface.writeResponseHead(answer)
        giveWay(handler, preface, leftover: leftover, in: context) {
            WebSocketPipe(isClient: false) { try addInside(to: $0, tls, listener, isLongPoll: false) }
        }
    }

    /// Puts on a pipe what a connection has at a listener: TLS, and a handler that serves handshakes alone.
    func addInside(to pipe: PipeChannel, _ tls: ServerTLS, _ listener: Int, isLongPoll: Bool) throws {
        let reception = CallerReception(
            core: core, on: pipe.eventLoop, listener: listener, tls: tls,
            insider: Insider(address: address, isLongPoll: isLongPoll))
        let pipeline = pipe.pipeline.syncOperations
        try SecureEntrance.addInside(tls, to: pipeline, reception: reception)
        try pipeline.addHandler(reception.makeHandler(on: pipe.eventLoop))
    }
}
