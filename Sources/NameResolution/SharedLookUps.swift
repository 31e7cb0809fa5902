import HostSystem
import NIOCore
import Synchronization

/// Look-ups that wait for the network, beside each other on threads of their own: as many as the limits say, each thread
/// for one look-up.
package final class SharedLookUps<Answer: Sendable>: Sendable {
    package typealias Completion = @Sendable (LookUpOutcome<Answer>) -> Void

    /// Stands for one who asked.
    package struct Ticket: Sendable {
        fileprivate let name: String
        fileprivate let number: UInt64
    }

    private let table: Mutex<LookUpTable<Answer, Completion>>
    private let zone: @Sendable (String) -> String
    private let lookUp: @Sendable (String) -> Answer?

    /// - Parameters:
    ///   - zone: what a name has in common with others that the same servers answer for.
    ///   - lookUp: may take its time; nil for nothing.
    package init(
        limits: LookUpLimits, zone: @escaping @Sendable (String) -> String,
        lookUp: @escaping @Sendable (String) -> Answer?
    ) {
        table = Mutex(LookUpTable(limits: limits))
        self.zone = zone
        self.lookUp = lookUp
    }

    /// - Parameter completion: called once on any thread, perhaps before this returns; not after a withdrawal.
    package func ask(_ name: String, _ completion: @escaping Completion) -> Ticket {
        let zone = zone(name)
        let (number, actions) = table.withLock { $0.ask(name, in: zone, completion, at: .now()) }
        carryOut(actions)
        return Ticket(name: name, number: number)
    }

    /// Who asked does not wait any more.
    package func withdraw(_ ticket: Ticket) {
        table.withLock { $0.withdraw(ticket.number, from: ticket.name) }
    }

    /// What is known of a name has proved wrong: the next one who asks has it looked up.
    package func forget(_ name: String) { table.withLock { $0.forget(name) } }

    private func carryOut(_ actions: LookUpTable<Answer, Completion>.Actions) {
        var rest = [actions]
        while let actions = rest.popLast() {
            for (completion, outcome) in actions.answers { completion(outcome) }
            for name in actions.starts {
                let thread = SignalFreeThread { self.carryOut(self.end(of: name, self.lookUp(name))) }
                // Without a thread nobody learns anything; the place goes to the next.
                if !thread.start() { rest.append(end(of: name, nil)) }
            }
        }
    }

    private func end(of name: String, _ answer: Answer?) -> LookUpTable<Answer, Completion>.Actions {
        table.withLock { $0.ended(name, answer, at: .now()) }
    }
}
