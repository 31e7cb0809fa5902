import HTTPMessage
import NIOCore
import TunnelProtocol
import TunnelTransport

/// A connection whose caller is a tunnel client that knocks.
extension CallerHandler {
    func becomeTunnel(_ head: RequestHead, _ framing: BodyFraming) {
        guard let context else { return }
        let handshake = TunnelHandshake(core: core, settings: settings, address: address, endpoint: endpoint)
        do throws(Refusal) {
            let (credentials, client) = try handshake.admit(head, framing)
            let version = WebSocketHandshake.version(offeredBy: head)
            let software = head.fields[.xClientVersion] ?? ""
            WebSocketHandshake.accept(head, version: version, on: context.channel)
                .assumeIsolated().whenSuccess { answer in
                    guard let answer else { return self.reject(.notWebSocket, head, in: handshake) }
                    self.phase = .over
                    let leftover = self.input
                    self.input = ByteBuffer()
                    handshake.seat(
                        TunnelHandshake.AdmittedClient(
                            credentials: credentials, client: client, answer: answer, version: version,
                            software: software),
                        in: context, from: self, leftover: leftover)
                }
        } catch {
            reject(error, head, in: handshake)
        }
    }

    private func reject(_ refusal: Refusal, _ head: RequestHead, in handshake: TunnelHandshake) {
        handshake.report(refusal, head)
        let hint = head.fields[.origin].map { RendezvousToken.hint(of: $0) }
        guard !refusal.isToldRarely else { return refuse(refusal, method: head.method, record: nil) }
        refuse(
            refusal, method: head.method,
            record: makeRecord(head.method, path: "/_tunnel", tokenHint: hint))
    }
}
