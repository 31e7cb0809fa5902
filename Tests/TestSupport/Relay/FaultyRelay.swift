import Foundation
import Synchronization

/// What stands between a tunnel client and its server and does them wrong: a relay of TCP that understands just as much
/// of HTTP/1.1 as its `RelayFaults` take. What follows a 101 passes as it is.
///
/// ```swift
/// let relay = try FaultyRelay(to: port, RelayFaults { $0.lostAnswer = 20 })
/// ```
package final class FaultyRelay: Sendable {
    package var port: Int { state.listener.port }
    package var counts: RelayCounts { state.counts }
    private let state: State
    private let delay: DelayLine?

    /// Listens on a port of 127.0.0.1 that the kernel picks.
    ///
    /// - Parameters:
    ///   - port: of 127.0.0.1, where the server listens.
    ///   - seed: of what is left to chance.
    package init(to port: Int, _ faults: RelayFaults = RelayFaults(), seed: UInt64 = 1) throws {
        delay = try faults.delay.map { try DelayLine(to: port, each: $0) }
        state = State(
            listener: try HeldSocket(), server: delay?.port ?? port, faults: faults,
            random: SplitMix64(seed: seed))
        let state = state
        Thread.detachNewThread { state.acceptAll() }
    }

    deinit { close() }

    /// Changes what it does wrong, from the next request or connection on.
    package func change(_ body: @Sendable (inout RelayFaults) -> Void) {
        state.shared.withLock { body(&$0.faults) }
    }

    /// From now on everything passes as it should; what was swallowed stays so.
    package func mend() { change { $0 = RelayFaults() } }

    /// Cuts all connections of the moment.
    package func cutAll() { state.cutAll() }

    /// Stops listening and cuts all connections. Safe to call again.
    package func close() { state.close() }
}

extension FaultyRelay {
    /// What its threads share, and what outlives it until they have ended.
    final class State: Sendable {
        struct Shared {
            var faults: RelayFaults
            var random: SplitMix64
            var loss = Draw()
            var repetition = Draw()
            var overtaking = Draw()
            var open: [ObjectIdentifier: StreamSocket] = [:]
            var isClosed = false
        }

        let shared: Mutex<Shared>
        let listener: HeldSocket
        let server: Int
        let counts = RelayCounts()
        /// How many clients' connections have ended.
        let left = WaitableCounter()
        /// How many requests have been passed on.
        let passed = WaitableCounter()

        init(listener: HeldSocket, server: Int, faults: RelayFaults, random: SplitMix64) {
            self.listener = listener
            self.server = server
            shared = Mutex(Shared(faults: faults, random: random))
        }

        var faults: RelayFaults { shared.withLock(\.faults) }

        // MARK: Chance

        /// Whether this answer is to be lost.
        func losesAnswer() -> Bool {
            shared.withLock { $0.loss.isIt(oneIn: $0.faults.lostAnswer, &$0.random) }
        }

        /// How this request is to be repeated.
        func repetition() -> Repetition? {
            shared.withLock { shared in
                guard shared.repetition.isIt(oneIn: shared.faults.repeatedRequest, &shared.random) else {
                    return nil
                }
                return Repetition.allCases.randomElement(using: &shared.random)
            }
        }

        /// Whether this request is to wait for another.
        func isOvertaken() -> Bool {
            shared.withLock { $0.overtaking.isIt(oneIn: $0.faults.overtakenRequest, &$0.random) }
        }

        // MARK: Connections

        func acceptAll() {
            var accepted = 0
            while true {
                if faults.isOneAtATime { try? left.wait(for: accepted, within: .seconds(3600), what: "") }
                var request = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&request, 1, -1) >= 0 || errno == EINTR else { return }
                if shared.withLock(\.isClosed) { return }
                let descriptor = descriptorLock.withLock { _ in
                    let descriptor = accept(listener.descriptor, nil, nil)
                    if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
                    return descriptor
                }
                guard descriptor >= 0 else { continue }
                accepted += 1
                let socket = StreamSocket(descriptor: descriptor, limit: .seconds(600))
                guard register(socket) else { return }
                counts.accepted.add(1)
                if let time = faults.cutAfter { cut(socket, after: time) }
                Thread.detachNewThread { [self] in
                    RelayConnection(socket, state: self).run()
                    unregister(socket)
                    left.add(1)
                }
            }
        }

        private func cut(_ socket: StreamSocket, after time: Duration) {
            DispatchQueue.global().asyncAfter(deadline: .now() + time.inSeconds) { [weak self] in
                guard let self, shared.withLock({ $0.open[ObjectIdentifier(socket)] }) != nil else { return }
                socket.cut()
                counts.cut.add(1)
            }
        }

        /// A connection to the server.
        func connect() throws -> RelayEnd {
            let socket = try StreamSocket(port: server, limit: .seconds(600))
            guard register(socket) else { throw StreamEnd.closed }
            return RelayEnd(socket)
        }

        private func register(_ socket: StreamSocket) -> Bool {
            shared.withLock { shared in
                if !shared.isClosed { shared.open[ObjectIdentifier(socket)] = socket }
                return !shared.isClosed
            }
        }

        /// Closes a socket.
        func unregister(_ socket: StreamSocket) {
            shared.withLock { $0.open[ObjectIdentifier(socket)] = nil }
            socket.close()
        }

        func cutAll() { for socket in shared.withLock(\.open).values { socket.cut() } }

        func close() {
            shared.withLock { $0.isClosed = true }
            cutAll()
            left.add(1 << 40)
            // Ends the accepting thread.
            shutdown(listener.descriptor, Int32(SHUT_RDWR))
        }
    }
}
