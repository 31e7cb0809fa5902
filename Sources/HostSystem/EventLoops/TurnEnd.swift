import NIOCore

/// Has something to do behind what comes in the present turn of its event loop.
package protocol TurnEnder: AnyObject {
    /// All that came before has been dealt with.
    func turnEnds()
}

/// The end of the present turn of one event loop, for all who have something to do there: one task of the loop for all of
/// them, where one for each costs as much as a tenth of a small request. Used on its loop alone.
package final class TurnEnd {
    private let eventLoop: NIOIsolatedEventLoop
    private var enders: [any TurnEnder] = []
    /// Those who were told last, without them: its memory is used again.
    private var spare: [any TurnEnder] = []

    init(of eventLoop: any EventLoop) { self.eventLoop = eventLoop.assumeIsolated() }

    /// Tells somebody once when the turn ends, those who asked before first. Who asks while others are told is told
    /// behind what those have brought about, in the same turn.
    package func tell(_ ender: any TurnEnder) {
        enders.append(ender)
        if enders.count == 1 { eventLoop.execute { self.tellAll() } }
    }

    private func tellAll() {
        var told = spare
        spare = []
        swap(&told, &enders)
        for ender in told { ender.turnEnds() }
        guard told.count <= Self.mostSpare else { return }
        told.removeAll(keepingCapacity: true)
        spare = told
    }

    /// What is kept for so many, after many more had something to do.
    private static let mostSpare = 64
}
