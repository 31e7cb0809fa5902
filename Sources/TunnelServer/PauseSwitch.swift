import Synchronization

/// Whether a server takes no requests for now; of a port also whether the server does whose it is.
final class PauseSwitch: Sendable {
    private let isOn = Atomic<Bool>(false)
    private let owner: PauseSwitch?

    init(owner: PauseSwitch?) { self.owner = owner }

    var isPaused: Bool { isOn.load(ordering: .relaxed) || owner?.isPaused == true }

    func set(_ isPaused: Bool) { isOn.store(isPaused, ordering: .relaxed) }
}
