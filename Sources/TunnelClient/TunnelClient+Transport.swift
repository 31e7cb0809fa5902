import AgentStatus
import Logging
import NIOCore
import Observability
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// By what it dials: as the configuration says, or what gets through.
extension TunnelClient {
    /// How to dial next.
    struct Dial: Sendable {
        var way: TransportChoice.Way
        /// For the answer to the handshake; nil for as long as ever.
        var patience: TimeAmount?
    }

    var nextDial: Dial {
        switch setup.value.configuration.transport {
        case .websocket: return Dial(way: .webSocket)
        case .longpoll: return Dial(way: .longPoll)
        case .auto where !choosesTransport: return Dial(way: .webSocket)
        case .auto:
            return state.withLock {
                Dial(way: $0.choice.way, patience: $0.choice.patience.map { TimeAmount($0) })
            }
        }
    }

    private var choosesTransport: Bool {
        let configuration = setup.value.configuration
        return configuration.transport == .auto && configuration.protocol != .v1
    }

    /// Whether another way may get through: then what failed is tried again soon, whatever was said.
    var isDecidingOnTransport: Bool { choosesTransport && state.withLock { $0.choice.isDeciding } }

    /// No session came of a dial.
    ///
    /// - Returns: whether to tell of it: what the other way fails by is said where it is all there is.
    func dialFailed(_ dial: Dial, _ slot: Int, _ error: DialError?, _ words: String) -> Bool {
        guard choosesTransport else { return true }
        let isPlain = !setup.value.configuration.tunnel.isSecure
        // What opens no connection may still take requests.
        let isBlocked = error?.isBlocked == true && (error?.code != .proxyRejected || isPlain)
        state.withLock { $0.choice.failed(dial.way, slot: slot, isBlocked: isBlocked, words) }
        return dial.way == .webSocket
    }

    /// The server hands out requests to a session.
    func sessionServes(by way: TransportChoice.Way) {
        guard choosesTransport else { return }
        let reason = state.withLock { state -> String? in
            state.choice.opened(way)
            guard way == .longPoll, let reason = state.choice.reason, reason != state.toldReason else {
                return nil
            }
            state.toldReason = reason
            return reason
        }
        guard let reason else { return }
        logger.notice(
            "WebSockets do not get through: the tunnel goes by long polling",
            metadata: [.closeReason: "\(reason)"])
    }

    /// A session is over.
    func sessionEnded(_ life: SessionLife, _ end: SessionEnd) {
        guard choosesTransport, let way = life.way, let lifetime = life.age else { return }
        let isCut =
            switch end {
            case .connectionLost, .peerSilent, .peerStuck: true
            // Something in between passed the handshake, and nothing behind it.
            case .peerMisbehaved: !life.wasReady
            default: false
            }
        state.withLock {
            $0.choice.sessionEnded(way, slot: life.slot, isCut: isCut && !life.isLeaving, after: lifetime)
        }
    }

    /// Something in between answered a request of a session.
    func foreignAnswered(_ words: String) {
        let words = masked(words)
        noteFault(.notATunnelServer, words)
        guard state.withLock({ $0.foreigners.note(words) }) else { return }
        logger.warning(
            "Something else answered in place of the tunnel server", metadata: [.errorMessage: "\(words)"])
    }

    // MARK: Back to the WebSocket

    /// For the answer to a handshake that is tried beside.
    private static let trialPatience: TimeAmount = .seconds(3)

    /// While the tunnel goes by long polling, tries a WebSocket now and then, on which no request goes; moves over when one
    /// holds. One at a time for a tunnel.
    func tryWebSockets(on eventLoop: any EventLoop) async {
        guard choosesTransport, state.withLock({ $0.takesTrial() }) else { return }
        defer { state.withLock { $0.isTrying = false } }
        while !Task.isCancelled, !isRetired, state.withLock({ $0.choice.way }) == .longPoll {
            await retirement.wait(
                beyond: 0, atMost: setup.value.configuration.websocketRetry, on: eventLoop)
            guard !Task.isCancelled, !isRetired, await webSocketHolds(on: eventLoop) else { continue }
            state.withLock {
                $0.choice.webSocketWorks()
                $0.toldReason = nil
            }
            logger.notice("WebSockets get through again: the tunnel moves over")
            for life in lives where life.way == .longPoll { life.giveWay() }
        }
    }

    private func webSocketHolds(on eventLoop: any EventLoop) async -> Bool {
        let life = SessionLife(on: eventLoop)
        let target = target(
            TunnelIdentity.trialSlot, by: .webSocket,
            passwordGivesWay: passwordGivesWay.load(ordering: .relaxed))
        do {
            try await open(
                TunnelDialler(target, answerPatience: Self.trialPatience), life, by: .webSocket,
                takesRequests: false, on: eventLoop)
        } catch {
            life.neverBegan()
            logger.debug(
                "A WebSocket does not get through", metadata: [.errorMessage: "\(words(for: error))"])
            return false
        }
        let time = state.withLock { $0.choice.trialTime }
        await retirement.wait(beyond: 0, atMost: time, on: eventLoop)
        let holds = !Task.isCancelled && life.snapshot != nil
        life.stop()
        return holds
    }
}
