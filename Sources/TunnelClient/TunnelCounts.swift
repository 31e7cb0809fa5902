import AgentStatus
import NIOCore
import Observability
import OriginHTTP

/// What a tunnel has counted on one event loop; a plain value that can be added to others.
struct TunnelLoopMeasures: Sendable {
    var requests = TunnelTally()
    var inFlight = 0
    var roundTrip = DurationHistogram()
    var originErrors: [ErrorCode: UInt64] = [:]
    /// As it was when the event loop was asked.
    var connections = OriginConnections()
}

/// Counts the requests of one tunnel on one event loop. Touched on that loop alone.
final class TunnelCounts {
    private var measures = TunnelLoopMeasures()
    private let eventLoop: any EventLoop
    /// Of the client that had the last session here.
    private var setup: CurrentSetup?

    init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// What there is to tell now.
    var told: TunnelLoopMeasures {
        var told = measures
        if let setup { told.connections = setup.directory.connections(on: eventLoop) }
        return told
    }

    /// From now on requests go to these origins.
    func goTo(_ setup: CurrentSetup) { self.setup = setup }

    func requestBegan() {
        measures.requests.began += 1
        measures.inFlight += 1
    }

    func requestBody(_ bytes: Int) { measures.requests.requestBytes += UInt64(bytes) }

    func responseBody(_ bytes: Int) { measures.requests.responseBytes += UInt64(bytes) }

    /// An origin's answer begins.
    ///
    /// - Parameter microseconds: since the request was there.
    func originAnswered(after microseconds: UInt32) {
        measures.requests.originMicroseconds += UInt64(microseconds)
        measures.requests.originAnswers += 1
    }

    /// - Parameter status: of the answer; 0 where there was none.
    func requestEnded(_ status: Int) {
        let digit = status / 100
        measures.requests.statusClasses[(1...5).contains(digit) ? digit : 0] += 1
        measures.inFlight -= 1
    }

    /// An origin gave no whole answer.
    func originFailed(_ code: ErrorCode) { measures.originErrors[code, default: 0] += 1 }

    /// The server answered a ping.
    func measured(roundTrip: Duration) { measures.roundTrip.record(roundTrip) }
}
