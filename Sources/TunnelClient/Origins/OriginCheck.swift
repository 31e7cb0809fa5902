import HTTPMessage
import NIOCore
import OriginHTTP
import TunnelConfiguration

/// One look at an origin: asks it, and tells whether its answer was good. Bound to its event loop.
final class OriginCheck: OriginResponseReceiver {
    private let check: HealthCheck
    private let member: OriginGroup.Member
    private let eventLoop: any EventLoop
    private var exchange: (any OriginExchange)?
    private var timer: Scheduled<Void>?
    private var tell: ((_ failure: String?) -> Void)?

    /// - Parameter tell: called once; nil: it is well.
    init(
        _ check: HealthCheck, _ member: OriginGroup.Member, on eventLoop: any EventLoop,
        tell: @escaping (_ failure: String?) -> Void
    ) {
        self.check = check
        self.member = member
        self.eventLoop = eventLoop
        self.tell = tell
    }

    func start() {
        var request = RequestHead(method: "GET", target: check.path, fields: HeaderFields())
        let host: String?
        do throws(OriginRefusal) {
            host = try member.rewriting.prepare(&request, from: TunnelEntrance()).host
        } catch {
            return end(error.words)
        }
        timer = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(check.timeout)) {
            self.end("no answer to \(self.check.path) in \(self.check.timeout)")
        }
        exchange = member.probe.begin(
            request, framing: .none, host: host, on: eventLoop, receiver: self)
    }

    /// What is left of the exchange is of no interest: its connection is closed.
    private func end(_ failure: String?) {
        timer?.cancel()
        timer = nil
        exchange?.cancel()
        exchange = nil
        let tell = tell.take()
        tell?(failure)
    }

    func originAnswered(_ head: consuming ResponseHead, framing: BodyFraming) {
        guard !head.isInterim else { return }
        let isGood = check.statuses.contains(head.status)
        end(isGood ? nil : "\(check.path) was answered by \(head.status)")
    }

    func originSent(_ bytes: ByteBuffer) {}
    func originEnded(trailers: HeaderFields?) {}
    func originFailed(_ error: OriginError) { end(error.message) }
    func originBecameWritable() {}
}
