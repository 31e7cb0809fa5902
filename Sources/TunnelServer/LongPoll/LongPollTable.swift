import HTTPMessage
import NIOCore
import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// Sessions of the long-poll carrier by their names. One for the process: whichever listener takes a request for one, it
/// comes to it.
final class LongPollTable: Sendable {
    static let ofProcess = LongPollTable()

    /// A session that was opened, and of which no request has come yet, is forgotten after so long.
    private static let halfMadeTime: TimeAmount = .seconds(10)
    /// Such sessions at once, in all and from one address: they cost who opens them next to nothing.
    private static let mostHalfMade = 4096
    private static let mostHalfMadePerAddress = 256
    /// Of a name, in random bytes.
    private static let nameBytes = 16

    private struct HalfMade {
        let name: String
        let address: AddressGroup
        let since: NIODeadline
    }

    private struct State {
        /// By the first half of the name; the whole of it is compared in constant time.
        var seats: [Substring: (name: String, seat: LongPollSeat)] = [:]
        var halfMade = CircularBuffer<HalfMade>()
        var perAddress = Tally<AddressGroup>()
    }

    private let state = Mutex(State())

    /// Enters a session that nobody has used yet.
    ///
    /// - Returns: its name. Where too many were opened that nobody uses, the oldest one is forgotten: a client uses its own
    ///   at once.
    func enter(from address: AddressGroup, now: NIODeadline, _ makeSeat: (String) -> LongPollSeat) -> String {
        let name = Self.makeName()
        let seat = makeSeat(name)
        return state.withLock { state in
            Self.forgetOld(&state, now: now)
            if state.halfMade.count >= Self.mostHalfMade { Self.forgetFirst(&state) }
            if state.perAddress[address] >= Self.mostHalfMadePerAddress {
                Self.forgetFirst(&state, from: address)
            }
            state.perAddress.add(address)
            state.halfMade.append(HalfMade(name: name, address: address, since: now))
            state.seats[Self.key(name)] = (name, seat)
            return name
        }
    }

    private static func makeName() -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<nameBytes).map { _ in
            UInt8.random(in: .min ... .max, using: &random).hexadecimalText
        }.joined()
    }

    private static func forgetOld(_ state: inout State, now: NIODeadline) {
        while let first = state.halfMade.first, first.since + halfMadeTime < now { forgetFirst(&state) }
    }

    /// - Parameter address: of the one to forget; nil for any.
    private static func forgetFirst(_ state: inout State, from address: AddressGroup? = nil) {
        let place = state.halfMade.firstIndex { address == nil || $0.address == address }
        guard let place else { return }
        let first = state.halfMade.remove(at: place)
        state.perAddress.remove(first.address)
        state.seats[key(first.name)] = nil
    }

    /// - Returns: nil for a name that is nobody's.
    func seat(named name: String, now: NIODeadline) -> LongPollSeat? {
        let known = state.withLock { state in
            Self.forgetOld(&state, now: now)
            return state.seats[Self.key(name)]
        }
        guard let known, ConstantTime.areEqual(name, known.name) else { return nil }
        return known.seat
    }

    /// Somebody uses what was half made.
    ///
    /// - Returns: false where it was forgotten meanwhile.
    func isUsed(_ name: String) -> Bool {
        state.withLock { state in
            guard let place = state.halfMade.firstIndex(where: { $0.name == name }) else { return false }
            state.perAddress.remove(state.halfMade.remove(at: place).address)
            return true
        }
    }

    func leave(_ name: String) { state.withLock { _ = $0.seats.removeValue(forKey: Self.key(name)) } }

    private static func key(_ name: String) -> Substring { name.prefix(nameBytes) }
}

/// Where a session of the long-poll carrier is, from the first request for it on. Its link is used on its event loop alone.
final class LongPollSeat: Sendable {
    let eventLoop: any EventLoop
    /// What the client had shown.
    let certificateName: String?
    private let name: String
    private let make: Make
    private let link: NIOLoopBoundBox<LongPollServerLink?>
    private let taken = Atomic<Bool>(false)

    /// Makes the link, on its event loop; calls what it is given when the link is over.
    typealias Make = @Sendable (any EventLoop, _ close: @escaping () -> Void) throws -> LongPollServerLink

    init(_ name: String, on eventLoop: any EventLoop, certificateName: String?, make: @escaping Make) {
        self.name = name
        self.eventLoop = eventLoop
        self.certificateName = certificateName
        self.make = make
        link = .makeBoxSendingValue(nil, eventLoop: eventLoop)
    }

    /// Does something with the link on its event loop, at once when called there.
    ///
    /// - Parameter orElse: called where there is none.
    func perform(
        _ action: @escaping @Sendable (LongPollServerLink) -> Void,
        orElse: @escaping @Sendable () -> Void = {}
    ) {
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.perform(action, orElse: orElse) }
            return
        }
        if !taken.exchange(true, ordering: .relaxed), LongPollTable.ofProcess.isUsed(name) {
            link.value = try? make(eventLoop) { [weak self] in self?.link.value = nil }
            if link.value == nil { LongPollTable.ofProcess.leave(name) }
        }
        if let link = link.value { action(link) } else { orElse() }
    }
}
