import NIOCore
import Observability

/// A connection that is asked to leave.
extension CallerHandler {
    /// How a connection leaves.
    struct Leaving {
        /// When one without a request is closed, apart from its other limits.
        var deadline = NIODeadline.distantFuture
        /// Who waits for a request that may be on its way.
        var arrivals: [EventLoopPromise<Void>] = []
    }

    /// Whether the next answer is the last.
    var isLeaving: Bool { leaving != nil || core.isStopping }

    /// When a connection that sends nothing is closed.
    var headDeadline: NIODeadline {
        let patience = hasServed ? core.limits.idleTimeout : core.limits.headTimeout
        return min(waitingSince + patience, leaving?.deadline ?? .distantFuture)
    }

    /// Its listener is closed, and another in its place: the next answer is the last.
    func leave(ifBy listener: Int) {
        if listener == self.listener, leaving == nil { leaving = Leaving() }
    }

    /// Finishes what is under way, then closes. Who came or was answered just now may have sent a request already:
    /// it gets its answer.
    ///
    /// - Returns: when there is nothing more to wait for but answers.
    @discardableResult func stop() -> EventLoopFuture<Void> {
        let deadline = waitingSince + core.limits.leaveTimeout
        var leaving = leaving ?? Leaving()
        leaving.deadline = min(leaving.deadline, deadline)
        let arrival = eventLoop.makePromise(of: Void.self)
        leaving.arrivals.append(arrival)
        self.leaving = leaving
        switch phase {
        case .awaitingHead where output?.isWritable == true: checkTime()
        // It does not even read its answers.
        case .awaitingHead: sayFarewell(.close, isDelimited: true)
        case .exchange(let exchange):
            exchange.serverStops()
            staysAWhile()
            watch(until: self.leaving?.deadline ?? .distantFuture)
        case .lingering:
            farewell?.leave()
            checkTime()
        case .takingRest: watch(until: deadline)
        case .raw, .over: break
        }
        tellArrival()
        return arrival.futureResult
    }

    /// An answer that has promised to stay may bring one more request, which is waited for as by those who were answered
    /// just now.
    func staysAWhile() {
        if core.isStopping { leaving?.deadline = eventLoop.now + core.limits.leaveTimeout }
    }

    /// Tells who waits for a request that it is here, or will not come.
    func tellArrival() {
        guard let leaving, !leaving.arrivals.isEmpty else { return }
        switch phase {
        case .awaitingHead: return
        case .exchange where http?.hasPromisedToStay == true && eventLoop.now < leaving.deadline: return
        default: break
        }
        let arrivals = leaving.arrivals
        self.leaving?.arrivals = []
        for arrival in arrivals { arrival.succeed() }
    }

    /// The grace is over: what came goes out if that takes no time.
    func cut() {
        switch phase {
        case .awaitingHead, .takingRest: sayFarewell(.close, isDelimited: true)
        case .exchange(let exchange), .raw(let exchange): exchange.abort(.cutShort)
        case .lingering, .over: break
        }
        farewell?.hurry(until: eventLoop.now + core.limits.cutTime)
        checkTime()
    }
}
