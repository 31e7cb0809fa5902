import NIOCore
import Synchronization

// What whoever runs the agent has it do now.
extension TunnelClient {
    /// Dials nothing until it is resumed. Sessions that are up get no new requests, finish what is in flight, however long
    /// that takes, and end.
    package func pause() {
        let lives = state.withLock { state in
            state.isPaused = true
            return state.lives
        }
        for keeper in runningKeepers { keeper.halt() }
        for life in lives { life.stop(reason: "the tunnel is paused at its client") }
    }

    /// Dials again, at once.
    package func resume() {
        state.withLock { $0.isPaused = false }
        callKeepers()
    }

    package var isPaused: Bool { state.withLock { $0.isPaused } }

    /// Ends a session; another takes its place.
    ///
    /// - Parameter isCut: whether at once. Else it finishes what is in flight when the other one is up.
    /// - Returns: false where it is none of this tunnel's.
    package func end(session id: UInt64, isCut: Bool) -> Bool {
        guard let life = lives.first(where: { $0.id == id && $0.isUp }) else { return false }
        if isCut {
            life.close()
        } else if isPaused || isRetired {
            life.stop(reason: "who runs the tunnel client asks for it")
        } else {
            life.giveWay()
        }
        return true
    }
}
